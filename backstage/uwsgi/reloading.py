"""Make a running vassal load its file again, whatever the dates of files and clocks say."""

from __future__ import annotations

import os
import signal
import stat
import time
from contextlib import suppress

from ..facts.sightings import Vassal
from ..layout.paths import ActPaths
from ..system import processes
from ..system.deadlines import Deadline
from . import loaded, vassal_files
from .vassal_files import Overtaken, Version

# uWSGI's commands for a graceful reload and a chain reload.
_GRACEFUL, _CHAIN = b"r", b"c"
# How long a vassal may take to start before it can be told to reload, in seconds.
_STARTING, _PAUSE = 10.0, 0.02


class NotListening(Exception):
    """Raised when a vassal cannot be told to reload yet, because it is starting."""


def reload(act_paths: ActPaths, vassal: Vassal | None) -> None:
    """Make the vassal load its file; the caller wakes the Emperor. Raises FileNotFoundError.

    A vassal that is starting is waited for. One that does not come up reads its file anyway when
    the Emperor tries it again.
    """
    patience = Deadline(_STARTING)
    while present := vassal_files.version(act_paths):
        try:
            load(act_paths, vassal, present)
        except Overtaken:
            continue
        except NotListening:
            if not patience.expired:
                time.sleep(_PAUSE)
                continue
        return
    raise FileNotFoundError(act_paths.vassal)


def load(act_paths: ActPaths, vassal: Vassal | None, present: Version) -> Version:
    """Like `reload`, without waiting; returns the file's new version.

    Raises Overtaken if the file is not `present`, and NotListening.
    """
    last_mod = vassal.last_mod if vassal else 0
    second = _due_second(last_mod)
    # The Emperor must not reload it as well, if the vassal is told itself.
    goal = min(present.second, last_mod) if second is None else second
    version = vassal_files.date(act_paths, present, present.dated(goal))
    if second is None and vassal and processes.alive(vassal.pid):
        _tell(act_paths, vassal.pid)
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
        _command(act_paths, _CHAIN)
        # Whoever watches sees by this that the Act is reloading.
        os.utime(act_paths.loaded, follow_symlinks=False)
    except OSError:
        # There is no pipe in Venues of older releases, or nobody reads from it.
        return False
    return True


def _command(act_paths: ActPaths, command: bytes) -> None:
    """Write to the master's named pipe. Raises OSError if the master does not read from it."""
    pipe = os.open(act_paths.fifo, os.O_WRONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    try:
        if not stat.S_ISFIFO(os.fstat(pipe).st_mode):
            # An Act with its own user may have put something else there.
            raise FileNotFoundError(act_paths.fifo)
        os.write(pipe, command)
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


def _tell(act_paths: ActPaths, pid: int) -> None:
    """Tell a vassal to load its file, without the Emperor. Raises NotListening.

    While it starts, a signal would kill it, and so close its port.
    """
    if not processes.catches(pid, signal.SIGHUP):
        raise NotListening
    loaded.withdraw(act_paths)
    try:
        _command(act_paths, _GRACEFUL)
    except BrokenPipeError as error:
        raise NotListening from error
    except OSError:
        # Its template names no pipe.
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGHUP)
