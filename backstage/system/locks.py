"""Locks between processes, released when the process that holds them ends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import Busy
from . import lazy

if TYPE_CHECKING:
    import filelock
else:
    filelock = lazy.module("filelock")

# Longer than the slowest task under a lock: compiling uWSGI.
_PATIENCE = 300.0


@contextmanager
def locked(path: Path, doing: str) -> Iterator[None]:
    """Hold the lock at `path`, creating it and its directory. Raises Busy after 300 s."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = filelock.FileLock(path, timeout=_PATIENCE, poll_interval=0.005)
    try:
        lock.acquire()
    except filelock.Timeout as error:
        raise Busy(
            f"{doing}: another process has held {path} for {_PATIENCE:.0f} s; "
            f"`fuser -v '{path}'` shows which"
        ) from error
    try:
        yield
    finally:
        lock.release()


@contextmanager
def locked_if_free(path: Path) -> Iterator[bool]:
    """Hold the lock at `path`; yields False if another process holds it. Raises OSError."""
    lock = filelock.FileLock(path, timeout=0)
    try:
        lock.acquire()
    except filelock.Timeout:
        yield False
        return
    try:
        yield True
    finally:
        lock.release()
