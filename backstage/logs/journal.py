"""The logs of several Acts and of the Emperor as one, in order of time."""

from __future__ import annotations

import heapq
import logging
import math
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING

from ..layout.paths import VenuePaths
from ..system import lazy
from ..system.wakeups import Wakeups
from .log_files import GrowingLog, LogFile, rotated, size
from .timestamps import Clock

if TYPE_CHECKING:
    from ..system import inotify
    from ..system.inotify import Hint, Watch
else:
    inotify = lazy.module("backstage.system.inotify")

_log = logging.getLogger("backstage")

# The source of the Emperor's lines; no Act may have this name.
EMPEROR = "emperor"
# Who asks for nothing is shown so many lines of each log.
_LINES = 20
# The first of the last lines may have its time in a line above: one of so many bytes before it.
_LEAD = 16 * 1024
# To find a moment in a log, so many bytes are read …
_SAMPLE = 2 * 1024
# … every so many bytes.
_STEP = 128 * 1024
# A request is logged when it ends, with the moment when it began: so many seconds earlier, mostly.
_SLOW = 120.0
# Even if nothing is told, all logs are looked at this often, in seconds …
_BEAT = 1.0
# … and this often where the kernel cannot tell.
_POLL = 0.1
# What is written within so many seconds is read at once, so that tracebacks stay whole.
_GATHER = 0.02
# No clock of this machine is ahead of another by more, in seconds.
_AHEAD = 2.0


@dataclass(frozen=True)
class LogLine:
    """One line of a log; `source` is the Act's name, or `EMPEROR` for the Emperor's own.

    `at` is when it was written in seconds since the epoch, by its own word or by that of the line
    above that it goes on with; None where neither tells. `text` is as it was written: a terminal
    would obey the control characters in it.
    """

    source: str
    at: float | None
    text: str


# Stands for the names of all files.
_ANY = ""

# A line and the moment that orders it among those of other logs.
_Entry = tuple[float, LogLine]


@dataclass(frozen=True, kw_only=True)
class Span:
    """Where to begin in each log: with so many of its last lines, and not before a moment.

    None sets no bound; `since` is in seconds since the epoch.
    """

    lines: int | None = None
    since: float | None = None

    @classmethod
    def of(cls, lines: int | None, since: float | datetime | None) -> Span:
        """What somebody asks for; of whom asks for nothing, a screenful is meant."""
        if lines is None and since is None:
            return cls(lines=_LINES)
        return cls(lines=lines, since=since.timestamp() if isinstance(since, datetime) else since)


class Journal:
    """An iterator of the lines of several logs; one that follows them ends when it is closed.

    What is there comes in order of time, what is added later as it is added; the order of one log's
    lines never changes. Close it, or use it in a `with` statement.
    """

    def __init__(
        self,
        venue_paths: VenuePaths,
        sources: Iterable[str],
        span: Span,
        *,
        follow: bool,
        newcomers: Callable[[], Iterable[str]] = tuple,
    ) -> None:
        """`newcomers` tells, while logs are followed, of names that may not have been there yet."""
        self._paths = venue_paths
        self._newcomers = newcomers
        self._closing = threading.Event()
        self._reading = threading.Lock()
        self._sources: dict[str, _Source] = {}
        self._ears: _Ears | None = None
        # What Acts of these names have left is nothing that newcomers say.
        self._left = {path.name: size(path) for path in venue_paths.log.glob("*.log") if follow}
        try:
            for name in sources:
                self._add(name).begin(span)
            self._ears = _Ears(venue_paths.log) if follow else None
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
                if self._ears is None:
                    break
                self._lines = self._news(self._ears)
            self._release()
            raise StopIteration

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        self._release()

    def close(self) -> None:
        """End it, also while another thread reads from it; a second time does nothing."""
        self._closing.set()
        if self._ears:
            self._ears.ring()
        with self._reading:
            self._release()

    def _release(self) -> None:
        for source in self._sources.values():
            source.close()
        if self._ears:
            self._ears.close()

    def _add(self, name: str) -> _Source:
        path = self._paths.emperor_log if name == EMPEROR else self._paths.act(name).log
        source = self._sources[path.name] = _Source(name, path)
        return source

    def _news(self, ears: _Ears) -> Iterator[LogLine]:
        heard = ears.wait()
        # So that what belongs together is there together; who closes need not wait for it.
        self._closing.wait(_GATHER)
        return _merged(self._stirred(heard), whole=False)

    def _stirred(self, heard: set[str]) -> list[_Source]:
        """The logs of which was heard; all of them if that was not to be told."""
        if not heard <= self._sources.keys():
            self._welcome()
        if _ANY in heard:
            return list(self._sources.values())
        return [self._sources[name] for name in sorted(heard & self._sources.keys())]

    def _welcome(self) -> None:
        known = {source.name for source in self._sources.values()}
        for name in sorted(set(self._newcomers()) - known):
            source = self._add(name)
            source.skip(self._left.get(source.path.name, 0))


class _Source:
    """One log, read from where it is told to begin."""

    def __init__(self, name: str, path: Path) -> None:
        self.name = name
        self.path = path
        self._log = GrowingLog(path)
        self._clock = Clock()
        self._at: float | None = None
        self._order = -math.inf
        self._since = -math.inf
        # What was written before, from the oldest file on, each with where to begin in it.
        self._past: list[tuple[LogFile, int]] = []

    def begin(self, span: Span) -> None:
        """Begin where a span does; what was rotated away counts too."""
        if span.since is not None:
            # Lines tell whole seconds.
            self._since = math.floor(span.since)
        count = span.lines
        for file in self._files():
            start, found = (0, 0) if count is None else file.last(count)
            start = max(start, self._first_since(file))
            self._past.insert(0, (file, start))
            if start:
                return
            count = None if count is None else count - found

    def skip(self, length: int) -> None:
        """Begin behind the first so many bytes."""
        if file := self._log.open():
            self._past = [(file, file.line_start(length))]

    def read(self, *, whole: bool) -> Iterator[_Entry]:
        """The lines since the last time, the last one only if it is complete or `whole`."""
        while self._past:
            file, begin = self._past[0]
            yield from self._from(file, begin)
            if file is not self._log.file:
                yield from map(self._entry, file.rest())
                file.close()
            del self._past[0]
        yield from map(self._entry, self._log.news())
        if whole and self._log.file:
            yield from map(self._entry, self._log.file.rest())

    def close(self) -> None:
        """Give every file back; a second time does nothing."""
        for file, _ in self._past:
            if file is not self._log.file:
                file.close()
        self._past = []
        self._log.close()

    def _files(self) -> Iterator[LogFile]:
        """The log and the one before it; the latter is opened only if it is asked for."""
        file, older = self._log.open(), rotated(self.path)
        if file:
            yield file
        if file is None or file.is_replaced(older):
            with suppress(OSError):
                yield LogFile(older)

    def _first_since(self, file: LogFile) -> int:
        """Where to begin, so that nothing is missed, found without reading everything."""
        if file.modified < self._since:
            return file.line_start(file.size)
        clock, found = Clock(), 0
        steps = range(0, file.size, _STEP) if self._since > -math.inf else range(0)
        for at in steps:
            moments = (clock.moment(line, _latest()) for line in file.sample(at, _SAMPLE))
            moment = next((moment for moment in moments if moment is not None), None)
            if moment is None:
                continue
            if moment >= self._since - _SLOW:
                break
            found = at
        return file.line_start(found)

    def _from(self, file: LogFile, begin: int) -> Iterator[_Entry]:
        file.position = file.line_start(begin - _LEAD)
        for text in file.lines(begin):
            self._entry(text)
        entries = map(self._entry, file.lines())
        yield from (entry for entry in entries if entry[0] >= self._since)

    def _entry(self, text: str) -> _Entry:
        moment = self._clock.moment(text, _latest())
        if moment is not None:
            self._at = moment
            # The log is in order: a line is no earlier than the one above it.
            self._order = max(self._order, moment)
        return self._order, LogLine(self.name, self._at, text)


class _Ears:
    """Hears which files of a directory have changed."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._wakeups = Wakeups()
        self._heard: set[str] = set()
        self._lock = threading.Lock()
        self._watch: Watch | None = None
        self._deaf = False
        self._beat_at = -math.inf
        self._listen()

    def wait(self) -> set[str]:
        """The names of files that may have changed since the last time."""
        self._wakeups.wait(max(0.0, self._beat_at - time.monotonic()))
        if time.monotonic() >= self._beat_at:
            self._beat()
        with self._lock:
            heard, self._heard = self._heard, set()
        return heard

    def ring(self) -> None:
        """End the present or the next wait; may be called from any thread."""
        self._wakeups.ring()

    def close(self) -> None:
        """End the thread and give every file descriptor back; a second time does nothing."""
        if self._watch:
            self._watch.close()
            self._watch = None
        self._wakeups.close()

    def _beat(self) -> None:
        """Have all files looked at, and watch the directory if it was not there before."""
        self._listen()
        self._tell(_ANY)
        self._beat_at = time.monotonic() + (_POLL if self._deaf else _BEAT)

    def _listen(self) -> None:
        if self._deaf:
            return
        try:
            self._watch = self._watch or inotify.Watch(self._hear)
            self._watch.add(self._directory, inotify.CONTENTS)
        except OSError as error:
            self._fall_back(error)

    def _hear(self, hint: Hint) -> None:
        # Called by the watch in its own thread.
        self._tell(hint.name)
        self._wakeups.ring()

    def _tell(self, name: str) -> None:
        with self._lock:
            self._heard.add(name)

    def _fall_back(self, error: OSError) -> None:
        self._deaf = True
        if self._watch:
            self._watch.close()
            self._watch = None
        _log.warning(
            "%s is looked at every %g s, as the kernel cannot tell of changes there: %s",
            self._directory,
            _POLL,
            error.strerror,
        )


def _merged(sources: Iterable[_Source], *, whole: bool) -> Iterator[LogLine]:
    entries = heapq.merge(*(source.read(whole=whole) for source in sources), key=itemgetter(0))
    return (line for _, line in entries)


def _latest() -> float:
    return time.time() + _AHEAD
