"""Other process managers, installed temporarily, each with programs that only sleep."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

from .stage import Process, Stage

Command = Sequence[str | Path]
# The measured commands, as a user would type them.
Commands = Mapping[str, Command]

# The program ends with its manager, however that ends.
_PROGRAM = ("setpriv", "--pdeathsig", "KILL", "sleep", "infinity")
_SUPERVISORD = """[unix_http_server]
file = {top}/socket
[supervisord]
logfile = {top}/log
pidfile = {top}/pid
childlogdir = {top}
[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
[supervisorctl]
serverurl = unix://{top}/socket
"""
_PROGRAM_OF_SUPERVISORD = """[program:{name}]
command = {command}
"""
# How long an installation, a start or an end may take, in seconds.
_INSTALLATION = "300"
_PATIENCE = 60.0
_PAUSE = 0.2


class Missing(Exception):
    """Raised when a manager cannot be installed or started."""


@contextmanager
def supervisor(stage: Stage, names: Sequence[str]) -> Iterator[Commands]:
    """supervisord with programs of these names. Raises Missing."""
    top = stage.top / "supervisor"
    _install(stage, [sys.executable, "-m", "virtualenv", top])
    _install(stage, [top / "bin" / "pip", "install", "supervisor"])
    file = top / "supervisord.conf"
    command = " ".join(_PROGRAM)
    programs = (_PROGRAM_OF_SUPERVISORD.format(name=name, command=command) for name in names)
    file.write_text(_SUPERVISORD.format(top=top) + "".join(programs))
    ctl: list[str | Path] = [top / "bin" / "supervisorctl", "-c", file]
    daemon = stage.start([top / "bin" / "supervisord", "--nodaemon", "-c", file])
    try:
        _await(stage, [*ctl, "status"])
        yield {
            "supervisorctl status": [*ctl, "status"],
            "supervisorctl restart": [*ctl, "restart", names[0]],
        }
    finally:
        _end(stage, daemon)


@contextmanager
def pm2(stage: Stage, names: Sequence[str]) -> Iterator[Commands]:
    """pm2's daemon with programs of these names. Raises Missing."""
    top = stage.top / "pm2"
    top.mkdir()
    _install(stage, ["npm", "install", "--no-audit", "--no-fund", "--prefix", top, "pm2"])
    file = top / "ecosystem.json"
    file.write_text(json.dumps({"apps": [_program_of_pm2(name) for name in names]}))
    ctl: list[str | Path] = [
        *("env", f"PM2_HOME={top / 'home'}", "PM2_DISABLE_VERSION_CHECK=true"),
        top / "node_modules" / ".bin" / "pm2",
    ]
    try:
        stage.finish(stage.start([*ctl, "start", file]))
        yield {
            "pm2 list": [*ctl, "list"],
            "pm2 jlist": [*ctl, "jlist"],
            "pm2 restart": [*ctl, "restart", names[0]],
        }
    finally:
        daemon = _pid_in(top / "home" / "pm2.pid")
        with suppress(RuntimeError):
            stage.finish(stage.start([*ctl, "kill"]))
        if daemon:
            with suppress(ProcessLookupError):
                os.kill(daemon, signal.SIGKILL)


MANAGERS: Mapping[str, Callable[[Stage, Sequence[str]], AbstractContextManager[Commands]]] = {
    "supervisor": supervisor,
    "pm2": pm2,
}


def _install(stage: Stage, command: Command) -> None:
    try:
        stage.finish(stage.start(["timeout", _INSTALLATION, *command]))
    except RuntimeError as error:
        raise Missing("cannot be installed") from error


def _await(stage: Stage, command: Command) -> None:
    """Wait until a command succeeds."""
    end = time.monotonic() + _PATIENCE
    while True:
        try:
            stage.finish(stage.start(command))
            return
        except RuntimeError:
            if time.monotonic() > end:
                raise
        time.sleep(_PAUSE)


def _end(stage: Stage, daemon: Process) -> None:
    daemon.terminate()
    with suppress(subprocess.TimeoutExpired):
        daemon.wait(_PATIENCE)
    stage.kill(daemon)


def _program_of_pm2(name: str) -> dict[str, object]:
    command, *words = _PROGRAM
    return {"name": name, "script": command, "args": words, "interpreter": "none", "vizion": False}


def _pid_in(file: Path) -> int:
    """The pid in a file; 0 if there is none."""
    with suppress(OSError, ValueError):
        return int(file.read_text())
    return 0
