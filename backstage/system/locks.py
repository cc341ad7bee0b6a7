"""Locks between processes, released when the process that holds them ends."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import Busy
from . import lazy
from .deadlines import Deadline

if TYPE_CHECKING:
    import filelock
else:
    filelock = lazy.module("filelock")

# Longer than the slowest task under a lock: compiling uWSGI.
_PATIENCE = 300.0
# How often a holder is asked to make way, in seconds.
_NOTICE = 0.25
_OWN, _OTHERS = 0o600, 0o077


@contextmanager
def locked(
    path: Path, doing: str, *, make_way: Callable[[float], None] | None = None
) -> Iterator[None]:
    """Hold the lock at `path`, creating it and its directory. Raises Busy after 300 s.

    While another process holds it, `make_way` is called again and again with the seconds waited.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = _lock(path, poll_interval=0.005)
    if not _acquired(lock, make_way):
        raise Busy(
            f"{doing}: another process has held {path} for {_PATIENCE:.0f} s; "
            f"`fuser -v '{path}'` shows which"
        )
    try:
        yield
    finally:
        lock.release()


def _lock(path: Path, timeout: float = -1, poll_interval: float = 0.05) -> filelock.BaseFileLock:
    """A lock that no other user can take: whoever can read its file could."""
    facts = path.lstat() if os.path.lexists(path) else None
    if facts and stat.S_ISREG(facts.st_mode) and facts.st_mode & _OTHERS:
        # Of an earlier version. Another user's is not ours to change.
        with suppress(PermissionError):
            path.chmod(_OWN)
    return filelock.FileLock(path, timeout, mode=_OWN, poll_interval=poll_interval)


def _acquired(lock: filelock.BaseFileLock, make_way: Callable[[float], None] | None) -> bool:
    began, patience = time.monotonic(), Deadline(_PATIENCE)
    while not patience.expired:
        try:
            lock.acquire(timeout=min(patience.remaining, _NOTICE if make_way else _PATIENCE))
        except filelock.Timeout:
            if make_way:
                make_way(time.monotonic() - began)
        else:
            return True
    return False


def holder_of(path: Path) -> int | None:
    """The pid of the process that holds the lock at `path`; None if that is unknown."""
    try:
        inode = path.stat().st_ino
        lines = Path("/proc/locks").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    # proc_locks(5): "1: FLOCK ADVISORY WRITE 812 08:01:5678 0 EOF".
    held = [fields for line in lines if len(fields := line.split()) >= 6 and fields[1] == "FLOCK"]
    return next((int(each[4]) for each in held if each[5].endswith(f":{inode}")), None)


def posix_holders() -> dict[int, set[int]]:
    """The inodes of all files with a POSIX lock, by the pid of the process that holds it."""
    found: dict[int, set[int]] = {}
    try:
        lines = Path("/proc/locks").read_text(encoding="ascii").splitlines()
    except OSError:
        return found
    # proc_locks(5), as above; those that wait for a lock have "->" before "POSIX".
    for fields in map(str.split, lines):
        if len(fields) >= 6 and fields[1] == "POSIX" and int(fields[4]) > 0:
            found.setdefault(int(fields[4]), set()).add(int(fields[5].rpartition(":")[2]))
    return found


@contextmanager
def locked_if_free(path: Path) -> Iterator[bool]:
    """Hold the lock at `path`; yields False if another process holds it. Raises OSError."""
    lock = _lock(path, timeout=0)
    try:
        lock.acquire()
    except filelock.Timeout:
        yield False
        return
    try:
        yield True
    finally:
        lock.release()
