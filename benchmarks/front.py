"""The cost and gain of nginx in front of an Act, compared with the Act itself."""

from __future__ import annotations

import http.client
import os
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from backstage.act import Act
from backstage.nginx import binding
from backstage.nginx.plan import BindRequest
from backstage.nginx.program import Nginx
from backstage.shortcuts import new_act, new_venue
from backstage.system.deadlines import Deadline, until

from .measuring import Finding, Line, Row, Timings, repeat
from .stage import Stage

_DOMAIN = "front.test"
_PAGE, _FILE = "/", "/static/admin/css/base.css"
# The number of requests and of parallel clients; each request opens a new connection.
_REQUESTS, _CLIENTS = 600, 4
_PATIENCE = 30.0
_CONF = """{user}
worker_processes 2;
pid {top}/nginx.pid;
error_log {top}/error.log;
events {{}}
http {{
    include /etc/nginx/mime.types;
    access_log off;
    {temporary}
    include {top}/conf.d/*.conf;
}}
"""
_TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


def measure_front(stage: Stage, pairs: int) -> list[Line]:
    """Pages and static files through nginx, and how long a bind takes."""
    program = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        return [Finding("nginx in front of an Act", "nginx is not installed")]
    venue = new_venue("front", stage.top)
    act = new_act(venue, "front")
    with _nginx(stage, Path(program)) as nginx:
        binding.bind(act, BindRequest(domains=(_DOMAIN,)), nginx)

        def measure(number: int) -> Timings:
            return {
                "page": _seconds(act.get_uwsgi_port(), _PAGE),
                "page by nginx": _seconds(nginx.http_port, _PAGE),
                "file": _seconds(act.get_uwsgi_port(), _FILE),
                "file by nginx": _seconds(nginx.http_port, _FILE),
                "bind": _bind_again(act, nginx),
            }

        measured = repeat("front", pairs, measure)
    venue.stop()
    many = f"{_REQUESTS} times, by {_CLIENTS} clients"
    return [
        Row(
            f"a page through nginx, {many}, against the Act itself",
            measured["page by nginx"],
            measured["page"],
        ),
        Row(
            f"a static file by nginx, {many}, against the Act itself",
            measured["file by nginx"],
            measured["file"],
        ),
        Row("`nginx bind` of an already bound Act, until nginx answers", measured["bind"]),
    ]


@contextmanager
def _nginx(stage: Stage, program: Path) -> Iterator[Nginx]:
    """A separate nginx on free ports."""
    top = stage.top / "nginx"
    (top / "conf.d").mkdir(parents=True)
    temporary = " ".join(f"{name}_temp_path {top}/{name};" for name in _TEMPORARY)
    user = "user root;" if os.geteuid() == 0 else ""
    conf = top / "nginx.conf"
    conf.write_text(_CONF.format(user=user, top=top, temporary=temporary))
    nginx = Nginx(
        program=program,
        conf=conf,
        state=top / "backstage",
        http_port=stage.free_port(),
        https_port=stage.free_port(),
        letsencrypt=top / "letsencrypt",
    )
    master = stage.start([program, "-c", conf, "-g", "daemon off;"])
    until(lambda: nginx.pid is not None, Deadline(_PATIENCE))
    try:
        yield nginx
    finally:
        stage.kill(master)


def _seconds(port: int, path: str) -> float:
    began = time.monotonic()
    with ThreadPoolExecutor(_CLIENTS) as clients:
        asked = [clients.submit(_ask, port, path) for _ in range(_REQUESTS)]
        for each in asked:
            each.result()
    return time.monotonic() - began


def _ask(port: int, path: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_PATIENCE)
    try:
        connection.request("GET", path, headers={"Host": _DOMAIN})
        answer = connection.getresponse()
        answer.read()
    finally:
        connection.close()
    if answer.status != 200:
        raise RuntimeError(f"port {port} answers {answer.status} for {path}")


def _bind_again(act: Act, nginx: Nginx) -> float:
    began = time.monotonic()
    binding.bind(act, BindRequest(domains=(_DOMAIN,)), nginx)
    return time.monotonic() - began
