"""One log as a source of lines: from a starting point on, as it grows and is rotated."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from itertools import dropwhile
from pathlib import Path

from .log_files import GrowingLog, LogFile, rotated
from .records import Sieve, Wanted, last_wanted
from .timestamps import Clock

# The number of lines of each log if the caller does not say where to begin.
_LINES = 20
# The first line shown may take its time from a line above; this many bytes before it are searched.
_LEAD = 16 * 1024
# To find a moment in a log, this many bytes are read …
_SAMPLE = 2 * 1024
# … at intervals of this many bytes.
_STEP = 128 * 1024
# A request is logged at its end with the time of its beginning: mostly this many seconds at most.
_SLOW = 120.0
# The most that one clock of this machine can be ahead of another, in seconds.
_AHEAD = 2.0


@dataclass(frozen=True)
class LogLine:
    """One line of a log; `source` is the Act's name, or 'emperor' for the Emperor's own.

    `at` is when it was written, in seconds since the epoch: its own timestamp or that of the line
    above that it continues; None if neither has one. `text` is unchanged, so it may hold control
    characters that a terminal would obey.
    """

    source: str
    at: float | None
    text: str


# A line and the time by which it is sorted among those of other logs.
Entry = tuple[float, LogLine]


@dataclass(frozen=True, kw_only=True)
class Span:
    """Where to begin in each log: at most its last `lines` lines, none from before `since`.

    None means no limit; `since` is in seconds since the epoch. Where only some records are wanted,
    `lines` counts these records.
    """

    lines: int | None = None
    since: float | None = None

    @classmethod
    def of(cls, lines: int | None, since: float | datetime | None) -> Span:
        """The span for these arguments; without any, the last 20 lines."""
        if lines is None and since is None:
            return cls(lines=_LINES)
        return cls(lines=lines, since=since.timestamp() if isinstance(since, datetime) else since)


class LogSource:
    """One log, read from where `begin` or `skip` says."""

    def __init__(self, name: str, path: Path, wanted: Wanted | None) -> None:
        self.name = name
        self.path = path
        self._log = GrowingLog(path)
        self._wanted = wanted
        self._sieve = Sieve(wanted) if wanted else None
        self._clock = Clock()
        self._at: float | None = None
        self._order = -math.inf
        self._since = -math.inf
        self._number: int | None = None
        # Files with existing lines, the oldest first, each with the offset to begin at.
        self._past: list[tuple[LogFile, int]] = []

    def begin(self, span: Span) -> None:
        """Begin where a span says; the rotated log counts too."""
        if span.since is not None:
            # Timestamps are in whole seconds.
            self._since = math.floor(span.since)
        count = self._number = span.lines
        for file in self._files():
            start, found = (0, 0) if count is None else self._last(file, count)
            start = max(start, self._first_since(file))
            self._past.insert(0, (file, start))
            if start:
                return
            count = None if count is None else count - found

    def skip(self, length: int) -> None:
        """Begin after the first `length` bytes."""
        if file := self._log.open():
            self._past = [(file, file.line_start(length))]

    def read(self, *, whole: bool) -> Iterator[Entry]:
        """The lines since the last call; an incomplete last line only if `whole`."""
        yield from map(self._entry, self._found())
        yield from map(self._entry, self._sifted(self._news(whole=whole)))

    def close(self) -> None:
        """Close every file; further calls do nothing."""
        for file, _ in self._past:
            if file is not self._log.file:
                file.close()
        self._past = []
        self._log.close()

    def _files(self) -> Iterator[LogFile]:
        """The log, then the one before it, which is opened only when the iteration gets there."""
        file, older = self._log.open(), rotated(self.path)
        if file:
            yield file
        if file is None or file.is_replaced(older):
            with suppress(OSError):
                yield LogFile(older)

    def _first_since(self, file: LogFile) -> int:
        """An offset early enough to miss nothing, found without reading the whole file."""
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

    def _last(self, file: LogFile, count: int) -> tuple[int, int]:
        """The offset of the last lines or wanted records, and their number."""
        return last_wanted(file, count, self._wanted) if self._wanted else file.last(count)

    def _found(self) -> Iterator[str]:
        """The lines that were there at the beginning."""
        if self._sieve and self._number is not None:
            return self._sieve.last(self._past_lines(), self._number)
        return self._sifted(self._past_lines())

    def _past_lines(self) -> Iterator[str]:
        while self._past:
            file, begin = self._past[0]
            yield from self._from(file, begin)
            if file is not self._log.file:
                yield from file.rest()
                file.close()
            del self._past[0]

    def _news(self, *, whole: bool) -> Iterator[str]:
        yield from self._log.news()
        if whole and self._log.file:
            yield from self._log.file.rest()

    def _sifted(self, lines: Iterator[str]) -> Iterator[str]:
        return self._sieve.sift(lines) if self._sieve else lines

    def _from(self, file: LogFile, begin: int) -> Iterator[str]:
        file.position = file.line_start(begin - _LEAD)
        for text in file.lines(begin):
            self._entry(text)
        if self._since == -math.inf:
            return file.lines()
        # No line sorts before the one above it.
        return dropwhile(lambda text: self._entry(text)[0] < self._since, file.lines())

    def _entry(self, text: str) -> Entry:
        moment = self._clock.moment(text, _latest())
        if moment is not None:
            self._at = moment
            # Keeps a log in its own order: no line sorts before the one above it.
            self._order = max(self._order, moment)
        return self._order, LogLine(self.name, self._at, text)


def _latest() -> float:
    return time.time() + _AHEAD
