"""A real repository for tests, and a real server of repositories."""

from __future__ import annotations

import base64
import os
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

SETTINGS = ("user.name=A", "user.email=a@example.org", "init.defaultBranch=main")
USER, PASSWORD = "me", "pa/ss@w0rd-7q"


class Repository:
    """A repository with one commit, whose tag is `v1.4`."""

    def __init__(self, path: Path, files: Mapping[str, str] | None = None) -> None:
        self.path = path
        path.mkdir(parents=True)
        self.git("init", "--quiet")
        self.first = self.commit(files or {"manage.py": "first\n"}, tag="v1.4")

    def git(self, *words: str) -> str:
        options = [word for each in SETTINGS for word in ("-c", each)]
        command = ["git", *options, "-c", "protocol.file.allow=always", *words]
        done = subprocess.run(command, cwd=self.path, capture_output=True, text=True, timeout=60)
        assert not done.returncode, done.stderr
        return done.stdout.strip()

    def commit(self, files: Mapping[str, str], *, tag: str = "") -> str:
        for name, content in files.items():
            path = self.path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, encoding="utf-8")
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", "x")
        if tag:
            self.git("tag", tag)
        return self.git("rev-parse", "HEAD")


class _Answers(BaseHTTPRequestHandler):
    """git's own CGI, behind a login; `simple` serves the files alone, as any web server can."""

    top: Path
    simple: bool
    commands: list[str]

    def do_GET(self) -> None:
        self.commands.extend(_running())
        token = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        if self.headers["Authorization"] != f"Basic {token}":
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="x"')
            self.end_headers()
        elif self.simple:
            self._file()
        else:
            self._backend()

    do_POST = do_GET  # noqa: N815

    def _file(self) -> None:
        path = self.top / self.path.partition("?")[0].lstrip("/")
        self.send_response(200 if path.is_file() else 404)
        self.end_headers()
        if path.is_file():
            self.wfile.write(path.read_bytes())

    def _backend(self) -> None:
        path, _, query = self.path.partition("?")
        environment = {
            **os.environ,
            "GIT_PROJECT_ROOT": str(self.top),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": self.command,
            "REMOTE_USER": USER,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
        }
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        done = subprocess.run(
            ["git", "http-backend"], input=body, env=environment, capture_output=True, timeout=60
        )
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        self.send_response(int(fields.pop("Status", "200").split()[0]))
        for name, value in fields.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        pass


def _running() -> Iterator[str]:
    """The command lines of all processes, as `ps` shows them to everybody."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            yield (process / "cmdline").read_text(errors="replace")
        except OSError:
            continue


@contextmanager
def serving(top: Path, *, simple: bool = False) -> Iterator[tuple[int, list[str]]]:
    """Serve repositories below a directory; yields the port, and what `ps` showed meanwhile."""
    commands: list[str] = []
    members = {"top": top, "simple": simple, "commands": commands}
    handler = type("Answers", (_Answers,), members)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_address[1], commands
        finally:
            server.shutdown()
            thread.join()
