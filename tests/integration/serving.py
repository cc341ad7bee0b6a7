"""A real nginx on its own ports, and a client that sends requests as browsers do."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from backstage.nginx.program import Nginx
from backstage.nginx.site import Tls
from backstage.system import processes
from backstage.system.deadlines import Deadline, until
from tests.patience import PATIENCE

from .calling import call

PROGRAM = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
VISITOR = "127.0.0.2"


@dataclass(frozen=True)
class Answer:
    """An HTTP response; `headers` has lower-case names."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def json(self) -> dict[str, Any]:
        return json.loads(self.body)  # type: ignore[no-any-return]


@dataclass
class Web:
    """The nginx of the tests; all its files are in `top`."""

    top: Path
    http: int
    https: int
    certificates: dict[tuple[str, ...], Tls] = field(default_factory=dict)

    @property
    def conf(self) -> Path:
        return self.top / "nginx.conf"

    @property
    def sites(self) -> Path:
        return self.top / "conf.d"

    @property
    def variables(self) -> dict[str, str]:
        """The environment variables that make the command use it."""
        ports = f"{self.http},{self.https}"
        return {"BACKSTAGE_NGINX_CONF": str(self.conf), "BACKSTAGE_NGINX_PORTS": ports}

    @cached_property
    def nginx(self) -> Nginx:
        return Nginx(
            program=Path(PROGRAM or "nginx"),
            conf=self.conf,
            state=self.top / "backstage",
            http_port=self.http,
            https_port=self.https,
            letsencrypt=self.top / "letsencrypt",
        )

    def call(self, *words: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
        return call("nginx", *words, cwd=cwd, env=self.variables)

    def write_conf(self) -> None:
        self.sites.mkdir(parents=True)
        user = "user www-data;" if os.geteuid() == 0 else ""
        self.conf.write_text(
            f"{user}\nworker_processes 2;\npid {self.top}/nginx.pid;\n"
            f"error_log {self.top}/error.log;\nevents {{}}\nhttp {{\n"
            "include /etc/nginx/mime.types;\naccess_log off;\n"
            + "".join(
                f"{name}_temp_path {self.top}/{name};\n"
                for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
            )
            + f"include {self.sites}/*.conf;\n}}\n"
        )

    @contextmanager
    def running(self) -> Iterator[None]:
        """Run it; no process of it is left afterwards."""
        command = [str(PROGRAM), "-c", str(self.conf), "-g", "daemon off;"]
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as master:
            try:
                assert until(lambda: bool(self.workers), Deadline(PATIENCE))
                yield
            finally:
                left = processes.family(master.pid)
                master.send_signal(signal.SIGTERM)
                master.wait(timeout=PATIENCE)
                assert until(lambda: not processes.running(left), Deadline(PATIENCE))

    @property
    def workers(self) -> set[int]:
        """The processes that accept requests; those from before a reload only finish theirs."""
        master = self.nginx.pid
        family = processes.family(master) if master else []
        titles = {each.pid: " ".join(each.cmdline()) for each in family}
        busy = {pid for pid, title in titles.items() if "worker process" in title}
        return {pid for pid in busy if "shutting down" not in titles[pid]}

    @property
    def listing(self) -> dict[str, str]:
        """The contents of all site files, which a failed call must not change."""
        return {path.name: path.read_text() for path in self.sites.iterdir()}

    def certificate(self, *names: str, days: int = 30) -> Tls:
        """A self-signed certificate for these names."""
        folder = self.top / f"cert-{'-'.join(names)}-{days}"
        tls = Tls(str(folder / "fullchain.pem"), str(folder / "privkey.pem"))
        if not folder.exists():
            folder.mkdir()
            make_certificate(tls, names, days)
        return tls

    def ask(
        self,
        host: str,
        path: str = "/",
        *,
        tls: bool = False,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        body: bytes | Iterable[bytes] | None = None,
    ) -> Answer:
        """Request a path of a host, from another loopback address than the usual one."""
        connection = http.client.HTTPConnection(host, timeout=PATIENCE)
        connection.sock = self.connect(host, tls=tls)
        port = self.https if tls else self.http
        try:
            connection.request(
                method,
                path,
                body=body,
                headers={"Host": f"{host}:{port}", **(headers or {})},
                encode_chunked=body is not None and not isinstance(body, bytes),
            )
            answer = connection.getresponse()
            told = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, told, answer.read())
        finally:
            connection.close()

    def connect(self, host: str, *, tls: bool = False) -> socket.socket:
        port = self.https if tls else self.http
        plain = socket.create_connection(("127.0.0.1", port), 60, source_address=(VISITOR, 0))
        if not tls:
            return plain
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return context.wrap_socket(plain, server_hostname=host)


def make_certificate(tls: Tls, names: Iterable[str], days: int) -> None:
    """Write a self-signed certificate; with 0 days, it expires at once."""
    alternatives = ",".join(f"DNS:{name}" for name in names)
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    command += ["-nodes", "-subj", "/CN=test", "-days", str(days)]
    command += ["-addext", f"subjectAltName={alternatives}"]
    command += ["-keyout", tls.key, "-out", tls.certificate]
    subprocess.run(command, check=True, capture_output=True)
