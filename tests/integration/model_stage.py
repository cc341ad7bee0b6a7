"""A Venue of light hand-written vassals, and everything that can be done to it from all sides."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from backstage.errors import BackstageError
from backstage.system.files import lock_holder
from backstage.venue import Venue
from tests.own_ports import own_ports

from .model_truth import Truth, processes_of, truth

# One has two workers, the last one is not there when a story begins.
WORKERS = {"alpha": 1, "beta": 2, "gamma": 1}
# A vassal file that somebody drops into the Venue.
NEWCOMER = "delta"
NAMES = [*WORKERS, NEWCOMER]
_LONG = 90.0
_OTHER_WAY = {"start": "stop", "stop": "restart", "restart": "start"}

_CODE = """
import os, uwsgi
with open("{loads}", "a") as loads:
    loads.write("%d\\n" % os.getpid())
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"act={name} threads=" + uwsgi.opt.get("threads", b"0")]
"""
_VASSAL = """\
[uwsgi]
http-socket = 127.0.0.1:{port}
processes = {workers}
threads = {threads}
# remark {remark}
set-placeholder = act=%n
set-placeholder = venue={top}
strict = true
virtualenv = %(venue)
wsgi-file = {code}
need-app = true
single-interpreter = true
master = true
lazy-apps = true
no-orphans = true
die-on-term = true
vacuum = true
reload-mercy = 3
worker-reload-mercy = 3
stats = %(venue)/run/%(act).stats
chmod-socket = 600
logto2 = %(venue)/log/%(act).log
disable-logging = true
shared-import = %(venue)/templates/early_signals.py
import = %(venue)/templates/early_signals.py
shared-import = %(venue)/templates/loaded.py
hook-as-user-atexit = create:%(venue)/run/%(act).loaded
listen = 64
"""


class Stage:
    """One Venue, another process with the library, and a note of all that was done."""

    def __init__(self, venue: Venue) -> None:
        self.venue = venue
        self.top = venue.path
        self.counts: Counter[str] = Counter()
        self.notes: list[str] = []
        self.crashes: list[str] = []
        self.reloads_expected: dict[str, int] = {}
        self._began = time.monotonic()
        self._threads = 1
        self._ports = {name: own_ports().take() for name in NAMES}
        self._held: list[socket.socket] = []
        self._other = subprocess.Popen(
            [sys.executable, "-m", "tests.integration.model_other", str(self.top)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        (self.top / "code").mkdir(exist_ok=True)
        (self.top / "aside").mkdir(exist_ok=True)

    @property
    def held(self) -> int:
        """How many sockets of its own it holds."""
        return len(self._held)

    def note(self, text: str) -> None:
        self.notes.append(f"{time.monotonic() - self._began:8.3f} {text}")

    def truth(self) -> Truth:
        return truth(self.top, NAMES)

    def file(self, name: str) -> Path:
        return self.venue.paths.vassals / f"{name}.ini"

    def text(self, name: str) -> str:
        """A good vassal file, as the operator last wanted it."""
        return _VASSAL.format(
            port=self._ports[name],
            workers=WORKERS.get(name, 1),
            threads=2 + self._threads % 7,
            remark=self._threads,
            top=self.top,
            code=self.top / "code" / f"{name}.py",
        )

    def loads(self, name: str) -> int:
        """How often the application was loaded, once for each worker."""
        path = self.top / "code" / f"{name}.loads"
        return len(path.read_text().splitlines()) if path.exists() else 0

    def reset(self) -> None:
        """Set the scene: all but the newcomer run, with good files and good code."""
        self.tidy()
        self.tell_other("close")
        for name in NAMES:
            self._mend(name)
            if name in WORKERS:
                self._renew(name)
        self._put_away(NEWCOMER)
        self.switch_watcher("", 1)
        self.venue.start()
        self.venue.emperor.forgive()

    def _renew(self, name: str) -> None:
        """Write a good file that the Emperor is bound to see, although nobody watches now."""
        path, known = self.file(name), 0
        for old in (path, self.venue.paths.act(name).kept):
            if old.exists():
                known = max(known, int(old.stat().st_mtime))
        part = path.with_suffix(".part")
        part.write_text(self.text(name))
        second = max(known + 1, int(time.time()))
        os.utime(part, (second, second))
        part.rename(path)

    def _put_away(self, name: str) -> None:
        self.file(name).unlink(missing_ok=True)
        self.venue.paths.act(name).kept.unlink(missing_ok=True)

    def tidy(self) -> None:
        """Let go of what a story has held or halted, and of the debris of editors."""
        for held in self._held:
            held.close()
        self._held.clear()
        self.wake_all()
        for path in self.venue.paths.vassals.iterdir():
            if path.suffix != ".ini" or path.name.startswith("."):
                path.unlink()

    def wake_all(self) -> None:
        for one in processes_of(self.top):
            if one.halted:
                with suppress(ProcessLookupError):
                    os.kill(one.pid, signal.SIGCONT)

    @property
    def watcher(self) -> int | None:
        """The pid of the Venue's resident watcher."""
        return lock_holder(self.venue.paths.watcher_lock)

    def wake_masters(self) -> None:
        """Let all go on that a signal has halted, except workers and the watcher."""
        emperor = self.truth().emperor
        for one in processes_of(self.top):
            if one.halted and one.parent == emperor and one.pid != self.watcher:
                with suppress(ProcessLookupError):
                    os.kill(one.pid, signal.SIGCONT)

    def end(self) -> None:
        self.tidy()
        with self._other:
            assert self._other.stdin
            self._other.stdin.close()
            try:
                self._other.wait(10)
            finally:
                self._other.kill()

    def tell_other(self, verb: str, name: str = "", wait: float | None = 20.0) -> dict[str, object]:
        """Have the other process do something."""
        assert self._other.stdin
        assert self._other.stdout
        self._other.stdin.write(json.dumps([verb, name, wait]) + "\n")
        self._other.stdin.flush()
        said: dict[str, object] = json.loads(self._other.stdout.readline())
        return said

    def do(self, kind: str, name: str, variant: int) -> None:
        """Do one operation; what it raises is noted, and judged where it is no BackstageError."""
        self.counts[kind] += 1
        self.note(f"{kind} {name} {variant}")
        OPERATIONS[kind](self, name, variant)

    # By the library

    def call(self, verb: str, name: str, wait: float | None) -> str:
        """Call the library, at most so long; '' or what it raised."""
        outcome = ["hangs"]

        def work() -> None:
            try:
                if name:
                    getattr(self.venue.act(name), verb)(wait)
                else:
                    getattr(self.venue, verb)()
                outcome[0] = ""
            except BackstageError as error:
                outcome[0] = f"{type(error).__name__}: {error}"
                self.counts[f"{verb} raises {type(error).__name__}"] += 1
            except Exception as error:  # noqa: BLE001 - told with the story
                outcome[0] = f"crash {type(error).__name__}: {error}"
                self.crashes.append(f"{verb} {name}: {outcome[0]}\n{traceback.format_exc()}")

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        thread.join(_LONG)
        if outcome[0] == "hangs":
            self.crashes.append(f"{verb} {name} has not returned after {_LONG} s")
        self.note(
            f"  {verb} {name} wait={wait}: {outcome[0].splitlines()[0] if outcome[0] else 'done'}"
        )
        return outcome[0]

    def _verb(self, verb: str, name: str, variant: int) -> None:
        """Variant 0 waits, 1 does not, 2 and 3 do so in another process."""
        wait = None if variant % 2 else 20.0
        if variant < 2:
            told = self.call(verb, name, wait)
        else:
            said = self.tell_other(verb, name, wait)
            if "crash" in said:
                self.crashes.append(f"{verb} {name} elsewhere: {said['crash']}")
            told = str(said.get("error", ""))
            self.note(
                f"  {verb} {name} wait={wait} elsewhere: {told.splitlines()[0] if told else 'done'}"
            )
        if wait and not told:
            self._check(verb, name)

    def _check(self, verb: str, name: str) -> None:
        """What a call has promised is so when it returns, as nobody else is at work."""
        seen = self.truth().acts[name]
        if verb == "stop" and seen.processes:
            self.crashes.append(f"stop {name} returned with processes {seen.processes}")
        if verb != "stop" and seen.state != "running":
            self.crashes.append(f"{verb} {name} returned and it is {seen}")

    def two_at_once(self, name: str, variant: int) -> None:
        verb = list(_OTHER_WAY)[variant % 3]
        other = threading.Thread(target=self.call, args=[_OTHER_WAY[verb], name, 20.0])
        other.start()
        self.call(verb, name, 20.0)
        other.join()

    def watch_elsewhere(self, name: str, variant: int) -> None:
        """Have the other process watch as well, or no more."""
        self.tell_other("watch" if variant else "close")

    # By hand

    def _put(self, name: str, text: str) -> None:
        part = self.venue.paths.vassals / f"{name}.part"
        part.write_text(text)
        part.rename(self.file(name))

    def edit(self, name: str, variant: int) -> None:
        """Variant 0 renames, 1 writes in place, 2 does both in one second, 3 dates it long ago."""
        self._threads += 1
        text = self.text(name)
        if variant == 1:
            self.file(name).write_text(text)
            return
        if variant == 2:
            self.file(name).write_text(text)
            self._threads += 1
            text = self.text(name)
        self._put(name, text)
        if variant == 3:
            os.utime(self.file(name), (1_600_000_000, 1_600_000_000))

    def edit_ahead(self, name: str, variant: int) -> None:
        """As with a clock that was ahead for a while, or a file from such a host."""
        self.edit(name, variant % 3)
        second = time.time() + (60, 3600, 86_400, 0.9)[variant]
        os.utime(self.file(name), (second, second))

    def edit_port(self, name: str, variant: int) -> None:
        self._ports[name] = own_ports().take()
        self.edit(name, variant % 2)

    def edit_remark(self, name: str, variant: int) -> None:
        if self.file(name).exists():
            text = self.file(name).read_text() + f"# a remark {variant}\n"
            self._put(name, text) if variant % 2 else self.file(name).write_text(text)

    def edit_badly(self, name: str, variant: int) -> None:
        """Variant 0 is an unknown option, 1 the same in place, 2 is no ini, 3 a taken port."""
        text = self.text(name)
        if variant == 2:
            text = "[uwsgi\nhttp-socket\n"
        elif variant == 3:
            held = socket.create_server(("127.0.0.1", 0))
            self._held.append(held)
            text = text.replace(f":{self._ports[name]}", f":{held.getsockname()[1]}")
            text += "# this port is taken\n"
        else:
            text += "thraeds = 3\n"
        if variant == 1:
            self.file(name).write_text(text)
        else:
            self._put(name, text)

    def touch(self, name: str, variant: int) -> None:
        for _ in range(1 + variant % 2):
            if self.file(name).exists():
                self.file(name).touch()

    def remove(self, name: str, variant: int) -> None:
        self.file(name).unlink(missing_ok=True)

    def away(self, name: str, variant: int) -> None:
        aside = self.top / "aside" / f"{name}.ini"
        if self.file(name).exists():
            self.file(name).rename(aside)
            time.sleep((0.0, 0.005, 0.1, 1.2)[variant])
            aside.rename(self.file(name))

    def debris(self, name: str, variant: int) -> None:
        """What editors leave beside a file."""
        vassals = self.venue.paths.vassals
        if variant == 0:
            (vassals / f".{name}.ini.swp").write_bytes(b"b0VIM 9.0")
            (vassals / "4913").touch()
            (vassals / "4913").unlink()
        elif variant == 1:
            (vassals / f"{name}.ini~").write_text("[uwsgi]\n")
        elif variant == 2:
            with suppress(FileExistsError):
                (vassals / f"#{name}.ini#").symlink_to("somebody@somewhere.1")
        elif self.file(name).exists():
            # As vim saves with a backup: the file leaves, another one comes.
            text = self.file(name).read_text()
            self.file(name).rename(vassals / f"{name}.ini~")
            self.file(name).write_text(text)

    def arrive(self, name: str, variant: int) -> None:
        self._threads += 1
        if variant % 2:
            self.file(NEWCOMER).write_text(self.text(NEWCOMER))
        else:
            self._put(NEWCOMER, self.text(NEWCOMER))

    # By signal

    def _signal(self, number: signal.Signals, pid: int | None) -> None:
        if pid:
            self.note(f"  {number.name} to {pid}")
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def signal_emperor(self, name: str, variant: int) -> None:
        number = signal.SIGKILL if variant < 2 else signal.SIGHUP
        self._signal(number, self.truth().emperor)

    def signal_master(self, name: str, variant: int) -> None:
        number = (signal.SIGKILL, signal.SIGSTOP, signal.SIGCONT, signal.SIGTERM)[variant]
        self._signal(number, self.truth().acts[name].master)

    def signal_worker(self, name: str, variant: int) -> None:
        number = (signal.SIGKILL, signal.SIGSTOP, signal.SIGCONT, signal.SIGTERM)[variant]
        seen = self.truth().acts[name]
        workers = [pid for pid in seen.processes if pid != seen.master]
        self._signal(number, workers[0] if workers else None)

    def signal_watcher(self, name: str, variant: int) -> None:
        number = (signal.SIGKILL, signal.SIGSTOP, signal.SIGCONT, signal.SIGTERM)[variant]
        self._signal(number, self.watcher)

    def switch_watcher(self, name: str, variant: int) -> None:
        """Off; then on again with the next start of the Venue."""
        off = "" if variant % 2 else "watcher: off\n"
        self.venue.paths.settings.write_text(f"ports: 8001-8999\n{off}")

    # In the code

    def _mend(self, name: str) -> None:
        loads = self.top / "code" / f"{name}.loads"
        (self.top / "code" / f"{name}.py").write_text(_CODE.format(loads=loads, name=name))

    def code(self, name: str, variant: int) -> None:
        if variant % 2:
            self._mend(name)
        else:
            (self.top / "code" / f"{name}.py").write_text("import no_such_module_anywhere\n")


def _by_library(verb: str) -> Callable[[Stage, str, int], None]:
    return lambda stage, name, variant: stage._verb(verb, name, variant)


def _for_venue(verb: str) -> Callable[[Stage, str, int], None]:
    def do(stage: Stage, name: str, variant: int) -> None:
        if variant < 3:
            stage.call(verb, "", None)
        else:
            said = stage.tell_other(verb)
            stage.note(f"  {verb} elsewhere: {said}")

    return do


OPERATIONS: dict[str, Callable[[Stage, str, int], None]] = {
    "start": _by_library("start"),
    "stop": _by_library("stop"),
    "restart": _by_library("restart"),
    "two at once": Stage.two_at_once,
    "venue start": _for_venue("start"),
    "venue stop": _for_venue("stop"),
    "start all": _for_venue("start_all_acts"),
    "stop all": _for_venue("stop_all_acts"),
    "restart all": _for_venue("restart_all_acts"),
    "watch elsewhere": Stage.watch_elsewhere,
    "edit": Stage.edit,
    "edit ahead": Stage.edit_ahead,
    "edit port": Stage.edit_port,
    "edit remark": Stage.edit_remark,
    "edit badly": Stage.edit_badly,
    "touch": Stage.touch,
    "remove": Stage.remove,
    "away": Stage.away,
    "debris": Stage.debris,
    "arrive": Stage.arrive,
    "signal emperor": Stage.signal_emperor,
    "signal master": Stage.signal_master,
    "signal worker": Stage.signal_worker,
    "signal watcher": Stage.signal_watcher,
    "switch watcher": Stage.switch_watcher,
    "code": Stage.code,
}
