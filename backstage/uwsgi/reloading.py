"""Make a running vassal load its file again, whatever the dates of files and clocks say."""

from __future__ import annotations

import os
import signal
import stat
import time
from contextlib import suppress

from ..facts.sightings import Vassal
from ..layout.paths import ActPaths
from . import loaded, vassal_files
from .vassal_files import Overtaken, Version

# uWSGI's command for a chain reload.
_CHAIN = b"c"


def reload(act_paths: ActPaths, vassal: Vassal | None) -> None:
    """Make the vassal load its file; the caller wakes the Emperor. Raises FileNotFoundError."""
    while present := vassal_files.version(act_paths):
        with suppress(Overtaken):
            load(act_paths, vassal, present)
            return
    raise FileNotFoundError(act_paths.vassal)


def load(act_paths: ActPaths, vassal: Vassal | None, present: Version) -> Version:
    """Like `reload`; returns the file's new version. Raises Overtaken if it is not `present`."""
    last_mod = vassal.last_mod if vassal else 0
    second = _due_second(last_mod)
    # The Emperor must not reload it as well, if the vassal is told itself.
    goal = min(present.second, last_mod) if second is None else second
    version = vassal_files.date(act_paths, present, present.dated(goal))
    if second is None:
        _tell(act_paths, vassal)
    return version


def chain(act_paths: ActPaths, vassal: Vassal) -> bool:
    """Make the master replace its workers one after the other; whether it could be told.

    The master itself, its options and its environment stay as they are, so this does only if the
    vassal's files are those that it has loaded. Needs at least two workers.
    """
    version = vassal_files.version(act_paths)
    is_due = version is None or version.second > vassal.last_mod
    recorded = loaded.record(act_paths, vassal.pid)
    if is_due or recorded is None or recorded.withdrawn or loaded.untaken(act_paths, recorded):
        return False
    try:
        is_told = _command(act_paths, _CHAIN)
        # Whoever watches sees by this that the Act is reloading.
        os.utime(act_paths.loaded, follow_symlinks=False)
    except OSError:
        # There is no pipe in Venues of older releases, or nobody reads from it.
        return False
    return is_told


def _command(act_paths: ActPaths, command: bytes) -> bool:
    """Whether the master's named pipe took a command. Raises OSError."""
    pipe = os.open(act_paths.fifo, os.O_WRONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    try:
        # An Act with its own user may have put something else there.
        return stat.S_ISFIFO(os.fstat(pipe).st_mode) and os.write(pipe, command) == len(command)
    finally:
        os.close(pipe)


def _due_second(last_mod: int) -> int | None:
    """The mtime, in whole seconds, at which the Emperor reloads a vassal; None if there is none.

    It is later than `last_mod`, which the Emperor acted on last, but earlier than the present
    second: otherwise the Emperor would miss an edit that follows within that second.
    """
    now = int(time.time())
    second = max(last_mod + 1, now - 1)
    return second if second < now else None


def _tell(act_paths: ActPaths, vassal: Vassal | None) -> None:
    """Signal a vassal to load its file, without the Emperor."""
    if vassal and vassal.pid > 0:
        loaded.withdraw(act_paths)
        with suppress(ProcessLookupError):
            os.kill(vassal.pid, signal.SIGHUP)
