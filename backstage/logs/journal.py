"""The logs of several Acts and of the Emperor, merged in order of time."""

from __future__ import annotations

import heapq
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from operator import itemgetter

from ..layout.paths import VenuePaths
from ..system.file_changes import FileChanges
from ..system.wakeups import Wakeups
from .log_files import size
from .records import Wanted
from .source import LogLine, LogSource, Span

# The source of the Emperor's lines; no Act may have this name.
EMPEROR = "emperor"
# Lines written within this many seconds are read at once, so that tracebacks stay whole.
_GATHER = 0.02


class Journal:
    """An iterator over the lines of several logs; with `follow`, it ends when it is closed.

    Existing lines come in order of time, later ones as they are added; lines of the same log keep
    their order. Close it, or use it in a `with` statement.
    """

    def __init__(
        self,
        venue_paths: VenuePaths,
        sources: Iterable[str],
        span: Span,
        *,
        follow: bool,
        newcomers: Callable[[], Iterable[str]] = tuple,
        wanted: Wanted | None = None,
    ) -> None:
        """`newcomers` returns the names to follow, of which some may be new since the start.

        `wanted` says which records are; None means every line.
        """
        self._paths = venue_paths
        self._wanted = wanted
        self._newcomers = newcomers
        self._closing = threading.Event()
        self._reading = threading.Lock()
        self._sources: dict[str, LogSource] = {}
        self._wakeups = Wakeups()
        self._changes: FileChanges | None = None
        # Lines that earlier Acts left under these names are not those of a new one.
        self._left = {path.name: size(path) for path in venue_paths.log.glob("*.log") if follow}
        try:
            for name in sources:
                self._add(name).begin(span)
            if follow:
                self._follow()
        except BaseException:
            self._release()
            raise
        self._lines = _merged(self._sources.values(), whole=not follow)

    def __iter__(self) -> Journal:
        return self

    def __next__(self) -> LogLine:
        with self._reading:
            while not self._closing.is_set():
                if line := next(self._lines, None):
                    return line
                if self._changes is None:
                    break
                self._lines = self._news(self._changes)
            self._release()
            raise StopIteration

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        self._release()

    def close(self) -> None:
        """End the iteration, even in another thread; further calls do nothing."""
        self._closing.set()
        self._wakeups.wake()
        with self._reading:
            self._release()

    def _release(self) -> None:
        for source in self._sources.values():
            source.close()
        if self._changes:
            self._changes.close()
        self._wakeups.close()

    def _add(self, name: str) -> LogSource:
        path = self._paths.emperor_log if name == EMPEROR else self._paths.act(name).log
        source = self._sources[path.name] = LogSource(name, path, self._wanted)
        return source

    def _follow(self) -> None:
        directory = self._paths.log
        self._changes = FileChanges(directory, self._wakeups.wake, contents=[directory])
        self._changes.open()

    def _news(self, changes: FileChanges) -> Iterator[LogLine]:
        self._wakeups.wait(changes.pause(time.monotonic()))
        changed = {change.path.name for change in changes.take()}
        everything = changes.is_due(time.monotonic())
        # Wait for the rest of what is being written, such as a traceback; close() ends this wait.
        self._closing.wait(_GATHER)
        if everything or not changed <= self._sources.keys():
            self._add_newcomers()
        sources = [
            source for name, source in self._sources.items() if everything or name in changed
        ]
        return _merged(sources, whole=False)

    def _add_newcomers(self) -> None:
        known = {source.name for source in self._sources.values()}
        for name in sorted(set(self._newcomers()) - known):
            source = self._add(name)
            source.skip(self._left.get(source.path.name, 0))


def _merged(sources: Iterable[LogSource], *, whole: bool) -> Iterator[LogLine]:
    entries = heapq.merge(*(source.read(whole=whole) for source in sources), key=itemgetter(0))
    return (line for _, line in entries)
