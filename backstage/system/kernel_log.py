"""Read the kernel's log."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_KERNEL_LOG = Path("/dev/kmsg")
_OUT_OF_MEMORY = re.compile(r"Killed process (\d+)")


def killed_for_memory(kernel_log: Path = _KERNEL_LOG) -> set[int]:
    """The pids that the kernel killed when memory ran out; empty if its log is unreadable."""
    try:
        log = os.open(kernel_log, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return set()
    try:
        said = b"".join(_records(log)).decode(errors="replace")
    finally:
        os.close(log)
    return {int(pid) for pid in _OUT_OF_MEMORY.findall(said)}


def _records(log: int) -> Iterator[bytes]:
    # The device returns one record per read and blocks after the last; an ordinary file ends.
    with suppress(BlockingIOError):
        while record := _record(log):
            yield record


def _record(log: int) -> bytes:
    while True:
        try:
            return os.read(log, 8192)
        except BrokenPipeError:
            # Overwritten before it could be read; the next read returns the oldest record left.
            continue
