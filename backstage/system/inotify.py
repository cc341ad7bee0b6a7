"""Notifications of changed files from the kernel, through watchdog's inotify reader."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from watchdog.observers.inotify_c import (
    CallbackId,
    InotifyConstants,
    InotifyEvent,
    InotifyFD,
    Mask,
    WatchDescriptor,
)

_I = InotifyConstants
# After one of these events, the file is complete.
_COMPLETE = _I.IN_CLOSE_WRITE | _I.IN_MOVED_FROM | _I.IN_MOVED_TO | _I.IN_ATTRIB | _I.IN_DELETE
CONTENTS = Mask(_COMPLETE | _I.IN_CREATE | _I.IN_MODIFY)
NAMES = Mask(_I.IN_CREATE | _I.IN_DELETE | _I.IN_MOVED_FROM | _I.IN_MOVED_TO)
WRITES = Mask(_I.IN_MODIFY)


@dataclass(frozen=True)
class Hint:
    """Something changed: the file `name` in a watched directory, or a watched file itself.

    `complete` is False if the file may still be open for writing.
    """

    path: Path
    name: str
    complete: bool


# Events were lost: anything may have changed.
LOST = Hint(Path("/"), "", complete=True)

Callback = Callable[[Hint], None]


class Watch:
    """Watches files and directories, and calls `callback` from its own thread.

    It uses watchdog's inotify reader, because watchdog's observers delay the events of files that
    leave a directory by half a second. Raises OSError if the user has no inotify instance left.
    """

    def __init__(self, callback: Callback) -> None:
        self._callback = callback
        self._watched: dict[Path, _Watched] = {}
        self._reader = InotifyFD()
        self._reader.start()

    def add(self, path: Path, mask: Mask) -> bool:
        """Watch a path unless it, with its present inode, is watched already; whether it was not.

        Does nothing if the path does not exist. Raises OSError if it cannot be watched.
        """
        try:
            inode = path.stat().st_ino
        except FileNotFoundError:
            return False
        known = self._watched.get(path)
        if known and known.inode == inode and known.active:
            return False
        if known and known.active:
            known.active = False
            self._reader.remove_callbacks([(known.descriptor, known.identity)])
        watched = _Watched(path, inode, self._callback)
        watched.descriptor = self._reader.add_callback(
            os.fsencode(path), mask, watched, watched.identity
        )
        self._watched[path] = watched
        if watched.descriptor == -1:
            watched.active = False
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return True

    def close(self) -> None:
        """End the thread and release the inotify instance."""
        self._reader.stop()
        self._reader.join()


class _Watched:
    """The callbacks of watchdog's reader for one path."""

    def __init__(self, path: Path, inode: int, callback: Callback) -> None:
        self.path = path
        self.inode = inode
        self.active = True
        self.identity = CallbackId(id(self))
        self.descriptor = WatchDescriptor(-1)
        self._callback = callback

    def on_event(self, event: InotifyEvent) -> None:
        if self.active:
            complete = bool(event.mask & _COMPLETE)
            self._callback(Hint(self.path, os.fsdecode(event.name), complete))

    def on_watch_deleted(self, wd: int) -> None:
        self.active = False
        self._callback(Hint(self.path, "", complete=True))

    def on_queue_overflow(self) -> None:
        self._callback(LOST)
