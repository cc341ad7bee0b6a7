"""Where the tests keep what they make: in memory where there is plenty of it.

A Venue has thousands of files, and to remove them takes longer on some disks than all that a test
does with them.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import psutil

_MEMORY = Path("/dev/shm")
# A whole run needs a fraction of it; another one may go on beside it.
_PLENTY = 8 * 1024**3


def use() -> None:
    """Have all temporary files made there, unless TMPDIR says where."""
    if "TMPDIR" not in os.environ and _is_roomy():
        os.environ["TMPDIR"] = tempfile.tempdir = str(_MEMORY)


def _is_roomy() -> bool:
    """Also programs can be run that lie there."""
    if not os.access(_MEMORY, os.W_OK):
        return False
    seen = os.statvfs(_MEMORY)
    room = min(seen.f_bavail * seen.f_frsize, psutil.virtual_memory().available)
    return room >= _PLENTY and not seen.f_flag & os.ST_NOEXEC
