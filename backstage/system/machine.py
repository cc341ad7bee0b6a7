"""What this machine has to spare."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from . import lazy

if TYPE_CHECKING:
    import psutil
else:
    psutil = lazy.module("psutil")


def processors() -> int:
    """The number of processors that this process may use."""
    return len(os.sched_getaffinity(0))


def free_memory() -> int:
    """The memory that programs can get without swapping, in bytes."""
    return int(psutil.virtual_memory().available)
