"""Make a running vassal load its file again, whatever the dates of files and clocks say."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress

from ..facts.sightings import Vassal
from ..layout.paths import ActPaths
from . import loaded


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


def tell(act_paths: ActPaths, vassal: Vassal | None) -> None:
    """Signal a vassal to load its file, without the Emperor."""
    if vassal and vassal.pid > 0:
        loaded.withdraw(act_paths)
        with suppress(ProcessLookupError):
            os.kill(vassal.pid, signal.SIGHUP)
