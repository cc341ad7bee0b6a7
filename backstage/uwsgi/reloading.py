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

# uWSGI's command for a chain reload.
_CHAIN = b"c"


def due_second(last_mod: int) -> int | None:
    """The mtime, in whole seconds, at which the Emperor reloads a vassal; None if there is none.

    It is later than `last_mod`, which the Emperor acted on last, but earlier than the present
    second: otherwise the Emperor would miss an edit that follows within that second.
    """
    now = int(time.time())
    second = max(last_mod + 1, now - 1)
    return second if second < now else None


def reload(act_paths: ActPaths, vassal: Vassal | None) -> None:
    """Make the vassal load its file; the caller wakes the Emperor. Raises FileNotFoundError."""
    last_mod = vassal.last_mod if vassal else 0
    second = due_second(last_mod)
    if second is None:
        if act_paths.vassal.stat().st_mtime >= last_mod + 1:
            # The Emperor must not reload it as well.
            os.utime(act_paths.vassal, (last_mod, last_mod))
        tell(act_paths, vassal)
    else:
        os.utime(act_paths.vassal, (second, second))


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
        fifo = os.open(act_paths.fifo, os.O_WRONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    except OSError:
        # There is none in Venues of older releases, or nobody reads from it.
        return False
    with os.fdopen(fifo, "wb") as command:
        is_fifo = stat.S_ISFIFO(os.fstat(fifo).st_mode)
        if is_fifo:
            command.write(_CHAIN)
            os.utime(act_paths.loaded, follow_symlinks=False)
    return is_fifo


def tell(act_paths: ActPaths, vassal: Vassal | None) -> None:
    """Signal a vassal to load its file, without the Emperor."""
    if vassal and vassal.pid > 0:
        loaded.withdraw(act_paths)
        with suppress(ProcessLookupError):
            os.kill(vassal.pid, signal.SIGHUP)
