"""The nginx of this host: where its configuration is, whether it is valid, and whether it runs."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ..errors import NotAllowed, PortUnavailable, SiteRefused
from ..system import processes, programs, sockets, users
from . import config_parser, site
from .build import Build, build_of, which
from .permissions import Reader
from .site import Listening
from .sites_directory import Place

# For an nginx that is not the system's own: its nginx.conf, and the ports for http and https.
CONFIGURATION = "BACKSTAGE_NGINX_CONF"
PORTS = "BACKSTAGE_NGINX_PORTS"
_STATE = Path("/var/lib/backstage")
_SYSTEMD = Path("/run/systemd/system")
_EVERYWHERE = ("0.0.0.0", "::")
_INSTALL = "nginx is not installed; type: apt install nginx"
_HTTP2_DIRECTIVE, _REJECT_HANDSHAKE = (1, 25, 1), (1, 19, 4)
# How nginx.conf may include a directory of sites; the first that is found is used.
_LAYOUTS = ("sites-enabled/*", "sites-enabled/*.conf", "conf.d/*.conf")


@dataclass(frozen=True)
class Nginx:
    """An nginx, identified by its program and its nginx.conf.

    `state` is our own directory: the page for an Act that is away, and certbot's challenges.
    """

    program: Path
    conf: Path
    state: Path = _STATE
    http_port: int = 80
    https_port: int = 443
    letsencrypt: Path = Path("/etc/letsencrypt")

    @property
    def command(self) -> str:
        """The command that runs its program with this configuration."""
        return "nginx" if self._is_system else f"nginx -c {self.conf}"

    @property
    def start_command(self) -> str:
        """The command that starts it."""
        return "systemctl start nginx" if self.has_unit else self.command

    @property
    def reload_command(self) -> str:
        """The command that makes it read its configuration and certificates again."""
        return "systemctl reload nginx" if self.has_unit else f"{self.command} -s reload"

    @property
    def has_unit(self) -> bool:
        """Whether systemd starts, stops and reloads it."""
        has_systemd = _SYSTEMD.is_dir() and shutil.which("systemctl") is not None
        return self._is_system and has_systemd

    @property
    def pages(self) -> Path:
        return self.state / "pages"

    @property
    def challenges(self) -> Path:
        return self.state / "acme"

    @property
    def lock(self) -> Path:
        return self.state / "lock"

    @property
    def build(self) -> Build:
        return build_of(self.program)

    @property
    def rejects_handshakes(self) -> bool:
        """Whether it can refuse TLS for an unknown name without a certificate."""
        return self.build.version >= _REJECT_HANDSHAKE

    @property
    def pid_file(self) -> Path:
        return self._main("pid", self.build.pid)

    @property
    def error_log(self) -> Path:
        return self._main("error_log", self.build.error_log)

    @property
    def pid(self) -> int | None:
        """The pid of its master process, or None if it does not run."""
        try:
            pid = int(self.pid_file.read_text())
        except (OSError, ValueError):
            return None
        return pid if processes.alive(pid) and _is_nginx(pid) else None

    @property
    def reader(self) -> Reader:
        """The user that its workers read files as."""
        master = self.pid
        owner = Path(f"/proc/{master}").stat().st_uid if master else os.geteuid()
        if owner != users.ROOT:
            return Reader(owner)
        named = self._words("user") or [self.build.user]
        return Reader(users.by_name(named[0]).pw_uid)

    @property
    def is_ours(self) -> bool:
        """Whether we may change its configuration and make nginx reload it."""
        master = self.pid
        signals = master is None or Path(f"/proc/{master}").stat().st_uid == os.geteuid()
        return users.am_root() or (signals and os.access(self.conf.parent, os.W_OK))

    def refuse_foreign(self, *words: str) -> None:
        """Raise NotAllowed if only root may run this command; `words` are its arguments."""
        if not self.is_ours:
            what = f"{users.mine()} may not change what nginx serves ({self.conf.parent})"
            raise NotAllowed(f"{what}; type: {users.root_command(*words)}")

    def origin(self, name: str, *, tls: bool) -> str:
        """The beginning of a URL of a site here, as a browser writes it."""
        return site.origin(name, self.https_port if tls else self.http_port, tls=tls)

    def listening(self, files: Mapping[str, str]) -> Listening:
        """The ports and directories of new sites, given the files of the configuration."""
        both = {port for each in config_parser.servers(files) for port in each.takes_ipv4}
        both &= {str(self.http_port), str(self.https_port)}
        return Listening(
            http_port=self.http_port,
            https_port=self.https_port,
            ipv4=not both,
            ipv6=_has_ipv6(),
            http2="directive" if self.build.version >= _HTTP2_DIRECTIVE else "listen",
            pages=str(self.pages),
            challenges=str(self.challenges),
        )

    def run(self, *words: str, conf: Path | None = None) -> tuple[bool, str]:
        """Run nginx; returns whether it succeeded, and its output."""
        command: list[str | Path] = [self.program, *words, "-c", conf or self.conf]
        done = programs.run(command, env=programs.tool_environment())
        return done.returncode == 0, done.stdout

    def files(self) -> dict[str, str]:
        """The files of its configuration with their text. Raises SiteRefused if it is invalid."""
        is_fit, said = self.run("-T", "-q")
        if not is_fit:
            raise SiteRefused("nginx cannot use its present configuration; fix that first", said)
        return config_parser.files_of(said)

    def fault(self, conf: Path | None = None) -> str:
        """Why nginx cannot use its configuration, or that in `conf`; '' if it can."""
        is_fit, said = self.run("-t", "-q", conf=conf)
        return "" if is_fit else said.strip()

    def fault_of(self, texts: Mapping[str, str]) -> str:
        """Why nginx cannot use these files, given by name, on their own; '' if it can."""
        with tempfile.TemporaryDirectory(prefix="backstage-nginx-") as name:
            trial = Path(name)
            for file, text in texts.items():
                (trial / file).write_text(text)
            (trial / "nginx.conf").write_text(_minimal(trial, texts))
            return self.fault(trial / "nginx.conf").replace(f"{trial}/", "")

    def place(self) -> Place:
        """The directory for sites in its configuration. Raises SiteRefused if there is none."""
        includes = [
            word for each in config_parser.find({"": self._conf}, "include") for word in each.words
        ]
        for ending in _LAYOUTS:
            for word in includes:
                if f"/{word}".endswith(f"/{ending}"):
                    return Place((self.conf.parent / word).parent)
        raise SiteRefused(
            f"{self.conf} includes no directory of sites; add to its http block: "
            f"include {self.conf.parent}/conf.d/*.conf;"
        )

    def refuse_taken_port(self, port: int, files: Mapping[str, str]) -> None:
        """Raise PortUnavailable if another program listens on a port that a site needs.

        `files` are those of nginx's present configuration: the ports in it are its own.
        """
        has_it = any(str(port) in server.ports for server in config_parser.servers(files))
        if (self.pid and has_it) or not any(sockets.in_use(port, host) for host in _EVERYWHERE):
            return
        holder = sockets.listener(port)
        if holder is None and users.am_root():
            # Only an open connection uses that port; root would see any listener.
            return
        if self.pid and any(member.pid == holder for member in processes.family(self.pid)):
            # A site was removed from the configuration, but nginx has not reloaded it yet.
            return
        name = sockets.holder(port)
        what = f"port {port}, which nginx needs, is taken by {name}"
        raise PortUnavailable(f"{what}; stop it, or let it pass requests on to nginx", port, name)

    def has(self, program: str) -> bool:
        """Whether a program is installed."""
        return which(program) is not None

    @property
    def _conf(self) -> str:
        try:
            return self.conf.read_text(errors="replace")
        except OSError as error:
            raise SiteRefused(f"{self.conf} cannot be read: {error.strerror}") from error

    def _words(self, name: str) -> list[str]:
        """The words of a directive at the top of nginx.conf."""
        return [word for each in config_parser.parse(self._conf).all(name) for word in each.words]

    def _main(self, name: str, built: str) -> Path:
        word = (self._words(name) or [built])[0]
        return self.build.prefix / word

    @property
    def _is_system(self) -> bool:
        return self.conf == self.build.conf


def find() -> Nginx:
    """The nginx of this host, or that of BACKSTAGE_NGINX_CONF. Raises SiteRefused if none."""
    program = which("nginx")
    if program is None:
        raise SiteRefused(_INSTALL)
    http, https = _ports()
    if named := os.environ.get(CONFIGURATION):
        conf = Path(os.path.realpath(named))
        state = conf.parent / "backstage"
        return Nginx(Path(program), conf, state, http_port=http, https_port=https)
    return Nginx(Path(program), build_of(Path(program)).conf, http_port=http, https_port=https)


def find_usable() -> Nginx | None:
    """The nginx of this host, if it has one that can serve sites."""
    with suppress(SiteRefused):
        nginx = find()
        nginx.place()
        return nginx
    return None


def _ports() -> tuple[int, int]:
    named = os.environ.get(PORTS, "80,443")
    try:
        http, https = map(int, named.split(","))
    except ValueError as error:
        raise SiteRefused(f"{PORTS} is {named!r}; write two ports, as 8080,8443") from error
    return http, https


def _minimal(trial: Path, texts: Mapping[str, str]) -> str:
    """A configuration that uses nothing of the system and includes only these files."""
    kept = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    return "\n".join(
        [
            f"pid {trial}/pid;",
            "error_log stderr;",
            "events {}",
            "http {",
            "access_log off;",
            *(f"{name}_temp_path {trial}/{name};" for name in kept),
            *(f"include {trial}/{name};" for name in texts),
            "}\n",
        ]
    )


def _is_nginx(pid: int) -> bool:
    """Whether a process runs a program of that name, as the pid may have been reused."""
    try:
        return Path(f"/proc/{pid}/comm").read_text() == "nginx\n"
    except OSError:
        return False


def _has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as attempt:
            attempt.bind(("::", 0))
    except OSError:
        return False
    return True
