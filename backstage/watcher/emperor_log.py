"""Keeping the Emperor's log short while the Emperor runs, whatever its Acts make it write.

uWSGI rotates no log of an Emperor. So the watcher sets aside what was written, and truncates the
file that the Emperor has open: it appends, so it goes on at the new end.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress

from ..layout.paths import VenuePaths
from ..logs.log_files import rotated
from ..system.files import write_atomically

# In bytes, for the log and for the one that is set aside.
MOST = 10_000_000
_FLAGS = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def bound(venue_paths: VenuePaths) -> None:
    """Set the log aside if it is too long; of a much longer one, its end."""
    path = venue_paths.emperor_log
    # One that is not there, or is no file of this user's, is no log of the Emperor's.
    with suppress(OSError):
        if path.lstat().st_size <= MOST:
            return
        descriptor = os.open(path, _FLAGS)
        with os.fdopen(descriptor, "r+b", buffering=0) as log:
            facts = os.fstat(descriptor)
            if not stat.S_ISREG(facts.st_mode) or facts.st_nlink != 1:
                return
            end = os.pread(descriptor, MOST, max(0, facts.st_size - MOST))
            write_atomically(rotated(path), end, mode=stat.S_IMODE(facts.st_mode), sync=False)
            log.truncate(0)
