"""The vassal that is no Act: the Venue's watcher, a Python process that the Emperor runs.

Its file is in a directory of its own and begins with a dot, so nothing takes it for an Act's.
`templates/launch` runs the private copy of this library for it instead of uWSGI.
"""

from __future__ import annotations

import os
import signal
from contextlib import AbstractContextManager, suppress

from ..facts.watching import Watcher, Watching
from ..layout.paths import ActPaths, VenuePaths
from ..system import processes
from ..system.files import lock_holder, write_atomically
from ..system.locks import holder_of, locked
from . import ini

_TEXT = """\
# While this file exists, the Emperor runs the watcher of this Venue; see templates/launch.
# To remove it for good, set `watcher: off` in venue.yaml.
[uwsgi]
"""
# The name of its file, by which templates/launch knows it.
_FILE = ".watcher.ini"
# How long it may take to start after the Emperor, in seconds, on a busy machine.
_STARTING = 10.0
# Longer than a watcher that works may hold the lock of an Act, in seconds.
_LONGEST_HOLD = 15.0


def is_its_directory(key: str, value: str) -> bool:
    """Whether a line of emperor.ini makes the Emperor look for it."""
    return key == "emperor" and value.endswith("/residents")


def is_supported(emperor_ini: str, launch: str) -> bool:
    """Whether with these texts of emperor.ini and templates/launch the Emperor can run it."""
    looks = any(is_its_directory(key, value) for _, key, value in ini.settings(emperor_ini))
    return looks and _FILE in launch


def look(venue_paths: VenuePaths, *, wanted: bool, emperor: int | None) -> Watcher:
    """The watcher as it is now; `wanted` is the setting, `emperor` the pid of the Emperor."""
    pid = lock_holder(venue_paths.watcher_lock)
    if pid:
        return Watcher(Watching.HALTED if _is_halted(pid) else Watching.RUNNING, pid)
    if not venue_paths.residents.is_dir():
        return Watcher(Watching.UNSUPPORTED)
    if not wanted:
        return Watcher(Watching.OFF)
    if not emperor:
        return Watcher(Watching.STOPPED)
    is_new = processes.started_after(emperor, processes.boot_clock() - _STARTING)
    return Watcher(Watching.STARTING if is_new else Watching.MISSING)


def arrange(venue_paths: VenuePaths, *, wanted: bool) -> None:
    """Let the Emperor run a watcher, or not; it follows at its next look, at most a second later.

    Does nothing in a Venue of a version without watchers.
    """
    if not venue_paths.residents.is_dir():
        return
    if not wanted:
        venue_paths.watcher.unlink(missing_ok=True)
    elif not venue_paths.watcher.exists():
        write_atomically(venue_paths.watcher, _TEXT)


def end_halted(venue_paths: VenuePaths) -> None:
    """Kill the watcher if a signal has suspended it: it could not end when told to."""
    pid = lock_holder(venue_paths.watcher_lock)
    if pid and _is_halted(pid):
        _kill(pid)


def replace(venue_paths: VenuePaths) -> None:
    """Kill the watcher: its script starts it again at once, from the copy that is now in use."""
    if pid := lock_holder(venue_paths.watcher_lock):
        _kill(pid)


def locked_act(act_paths: ActPaths, doing: str) -> AbstractContextManager[None]:
    """Hold the lock of an Act. A watcher that does not release it is killed, and starts again.

    Raises Busy after 300 s, if any other process holds it that long.
    """
    return locked(act_paths.lock, doing, make_way=lambda waited: _make_way(act_paths, waited))


def _make_way(act_paths: ActPaths, waited: float) -> None:
    pid = lock_holder(act_paths.venue.watcher_lock)
    if pid and (_is_halted(pid) or (waited > _LONGEST_HOLD and holder_of(act_paths.lock) == pid)):
        _kill(pid)


def _is_halted(pid: int) -> bool:
    facts = processes.facts(pid)
    return facts is not None and facts.halted


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal.SIGKILL)
