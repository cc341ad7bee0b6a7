"""The Venues whose Emperors this user runs, wherever they are now: as the kernel knows them.

Each Emperor holds the lock on the file `.emperor.lock` of its Venue, and the kernel names that file
by its present path, also after the Venue was moved.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..facts.command_line import join
from ..layout import made
from ..layout.paths import VenuePaths
from ..system import processes
from ..system.locks import posix_holders


@dataclass(frozen=True)
class MovedVenue:
    """A Venue that was moved from `made_at` to `venue` while its Emperor, `pid`, ran."""

    venue: Path
    made_at: Path
    pid: int

    @property
    def command(self) -> str:
        """The command that makes it work where it is."""
        return join(["backstage", "--venue", str(self.venue), "relocate"])

    def __str__(self) -> str:
        return f"{self.made_at} was moved to {self.venue}, and its Emperor runs (pid {self.pid})"


def venues() -> dict[Path, int]:
    """The paths of these Venues, with the pids of their Emperors."""
    return {
        path: pid
        for pid, inodes in sorted(posix_holders().items())
        for path in _venues_of(pid, inodes)
    }


def moved(running: dict[Path, int]) -> list[MovedVenue]:
    """Those of these Venues that are no longer where they were made."""
    known = ((path, pid, made.read(VenuePaths(path))) for path, pid in running.items())
    return [
        MovedVenue(path, record.path, pid)
        for path, pid, record in known
        if record and not made.is_at(record.path, path)
    ]


def _venues_of(pid: int, locked: set[int]) -> Iterator[Path]:
    if not _is_mine(pid):
        return
    for name, facts in processes.open_files(pid):
        is_lock = facts.st_ino in locked and facts.st_nlink > 0
        if is_lock and name == VenuePaths(name.parent).emperor_lock:
            yield name.parent


def _is_mine(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}").stat().st_uid == os.geteuid()
    except OSError:
        return False
