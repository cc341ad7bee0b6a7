"""Wake a waiting thread: by another thread, the end of a process or a readable socket."""

from __future__ import annotations

import os
import selectors
import threading
from contextlib import suppress
from typing import Protocol

from . import processes


class Readable(Protocol):
    """An object that a selector can wait for."""

    def fileno(self) -> int: ...


class Wakeups:
    """Waits for several sources at once. Only `wake` may be called from other threads."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._reading, self._writing = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._selector.register(self._reading, selectors.EVENT_READ)
        self._ends: dict[int, int] = {}
        self._lock = threading.Lock()
        self._closed = False

    def wake(self) -> None:
        """End the present wait or, if there is none, the next one."""
        with self._lock, suppress(BlockingIOError):
            # A full pipe wakes too; a closed descriptor may be another file by now.
            if not self._closed:
                os.write(self._writing, b"!")

    def watch_end(self, pid: int, name: str) -> None:
        """Make `wait` return `name` when a process ends, unless no more files can be opened."""
        if pid in self._ends:
            return
        with suppress(OSError):
            descriptor = processes.watch_end(pid)
            if descriptor is not None:
                self._ends[pid] = descriptor
                self._selector.register(descriptor, selectors.EVENT_READ, (name, pid))

    def watch(self, source: Readable, name: str) -> None:
        """Make `wait` return `name`, once, when `source` becomes readable."""
        self._selector.register(source, selectors.EVENT_READ, (name, 0))

    def unwatch(self, source: Readable) -> None:
        """Stop waiting for `source`; call this before closing it."""
        with suppress(KeyError, ValueError):
            self._selector.unregister(source)

    def wait(self, seconds: float) -> list[tuple[str, int]]:
        """Wait at most `seconds`; return the names that woke it, each with the ended pid or 0."""
        woken: list[tuple[str, int]] = []
        for key, _ in self._selector.select(seconds):
            if key.data is None:
                with suppress(BlockingIOError):
                    os.read(self._reading, 4096)
                continue
            woken.append(key.data)
            self._selector.unregister(key.fileobj)
            if pid := key.data[1]:
                os.close(self._ends.pop(pid))
        return woken

    def close(self) -> None:
        """Close all file descriptors; further calls do nothing."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        self._selector.close()
        for descriptor in (*self._ends.values(), self._reading, self._writing):
            os.close(descriptor)
        self._ends.clear()
