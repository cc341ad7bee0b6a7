"""Venues full of light Acts: hand-written vassals that answer hello without Django."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .environments import NEW_VENUE
from .stage import Stage, stop_venue

_HELLO = """
def application(environ, start_response):
    start_response("200 OK", [("Content-Length", "2")])
    return [b"ok"]
"""
# The options of the Venue's own template that affect how an Act starts, ends and is observed.
_VASSAL = """[uwsgi]
http-socket = 127.0.0.1:{port}
processes = 1
threads = 2
set-placeholder = act=%n
set-placeholder = venue={venue}
set-placeholder = edition={edition}
strict = true
virtualenv = %(venue)
wsgi-file = %(venue)/hello.py
need-app = true
single-interpreter = true
master = true
lazy-apps = true
shared-import = %(venue)/templates/early_signals.py
import = %(venue)/templates/early_signals.py
no-orphans = true
die-on-term = true
auto-procname = true
chmod-socket = 600
vacuum = true
memory-report = true
stats = %(venue)/run/%(act).stats
logto2 = %(venue)/log/%(act).log
"""
# The log of an Act that has served for a day; no more than that is ever read.
_REQUEST = (
    "[pid: 1|app: 0|req: 1/1] 127.0.0.1 () {28 vars in 314 bytes} [Mon Jan  1 00:00:00 2024] "
    "GET / => generated 2 bytes in 0 msecs (HTTP/1.1 200) 1 headers in 44 bytes\n"
)
_LOG = 64 * 1024
_PATIENCE = 120.0
_ANSWER = 5.0
_PAUSE = 0.2


@dataclass
class LightAct:
    """A light Act. Methods that change it return the moment just before, on the monotonic clock."""

    venue: Path
    name: str
    port: int
    edition: int = 0

    @property
    def file(self) -> Path:
        return self.venue / "vassals" / f"{self.name}.ini"

    @property
    def stats_socket(self) -> Path:
        return self.venue / "run" / f"{self.name}.stats"

    @property
    def log(self) -> Path:
        return self.venue / "log" / f"{self.name}.log"

    def rename_new(self) -> float:
        """Replace the file in one step, as `sed -i` and most editors do."""
        hidden = self.file.with_name(f".{self.name}.ini.part")
        hidden.write_text(self._next_text())
        began = time.monotonic()
        hidden.rename(self.file)
        return began

    def write_new(self) -> float:
        """Write a new text into the existing file."""
        text = self._next_text()
        began = time.monotonic()
        self.file.write_text(text)
        return began

    def touch(self) -> float:
        """Move the file's mtime by a second."""
        mtime = max(int(time.time()), int(self.file.stat().st_mtime) + 1)
        began = time.monotonic()
        os.utime(self.file, (mtime, mtime))
        return began

    def remove(self) -> float:
        """Remove the file."""
        began = time.monotonic()
        self.file.unlink()
        return began

    def processes(self) -> tuple[int, list[int]]:
        """The pids of the master and its workers, as the master reports them.

        It binds its socket a moment after its first worker is there.
        """
        end = time.monotonic() + _PATIENCE
        while not self.stats_socket.exists() and time.monotonic() < end:
            time.sleep(_PAUSE)
        said = answer(self.stats_socket)
        return said["pid"], [worker["pid"] for worker in said["workers"] if worker["pid"]]

    def _next_text(self) -> str:
        self.edition += 1
        return _VASSAL.format(port=self.port, venue=self.venue, edition=self.edition)


@contextmanager
def light_acts(stage: Stage, name: str, count: int) -> Iterator[list[LightAct]]:
    """A new Venue with this many light Acts, all running; it is stopped at the end."""
    venue = stage.top / name
    stage.finish(stage.python("-c", NEW_VENUE, name, stage.top))
    (venue / "hello.py").write_text(_HELLO)
    acts = [LightAct(venue, f"light{n:03}", stage.free_port()) for n in range(count)]
    try:
        for act in acts:
            act.log.write_text(_REQUEST * (_LOG // len(_REQUEST)))
            act.rename_new()
        _await_all(venue, count)
        stage.settle()
        yield acts
    finally:
        stop_venue(venue)


def answer(stats_socket: Path) -> Any:
    """The report of a uWSGI stats socket. Raises OSError."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(_ANSWER)
        connection.connect(str(stats_socket))
        with connection.makefile("rb") as file:
            return json.loads(file.read())


def _await_all(venue: Path, count: int) -> None:
    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end:
        vassals = answer(venue / "run" / "emperor.stats")["vassals"]
        if sum(vassal["accepting"] for vassal in vassals) == count:
            return
        time.sleep(_PAUSE)
    raise RuntimeError(f"not all {count} Acts of {venue} run within {_PATIENCE:.0f} s")
