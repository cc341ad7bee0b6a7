"""Records in a log: the lines that belong together, how severe they are, and which are wanted."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from itertools import chain

from .log_files import LogFile
from .requests import status_of
from .timestamps import head_of

# A record that is not wanted yet is held up to so many lines: nothing in a log ends it for sure.
_MOST_HELD = 5000
# The end of a log that is searched first for the last wanted records, in bytes; then so many times
# as much, and so on.
_FIRST, _MORE = 256 * 1024, 4
# Where a level is looked for after a timestamp, in characters: behind names and process ids.
_HEAD = 100
_TRACEBACK = re.compile(r"Traceback \(most recent call last\):")
_WORD = r"DEBUG|INFO|NOTICE|WARN(?:ING)?|ERROR|CRITICAL|FATAL"
# `ERROR`, `[error   ]` and `"level": "error"`, as Python's logging, structlog and JSON have it.
_LEVEL = re.compile(
    rf"(?<![\w.])({_WORD})(?![\w.])|\[({_WORD.lower()}) *\]|\"(?:level\w*|severity)\": ?\"(\w+)\""
)
_OPENING = re.compile(rf"\[?(?:{_WORD})(?![\w.])|\{{")
# uWSGI's own words for what does not work; `unlink()` only is how it cleans up after that.
_FAILURE = re.compile(
    r"DAMN ! |!!! |HARAKIRI|unable to |no app loaded|failed loading app|\[strict-mode\]"
    r"|curse the uwsgi instance|listen queue of socket .* full|not started, "
    r"|\b(?!unlink\b)\w+\(\)(?: of .* failed)?: "
)


class Level(IntEnum):
    """How severe a record is, as in Python's logging; what tells no level is `INFO`."""

    DEBUG = 10
    INFO = 20
    WARNING = 30
    ERROR = 40
    CRITICAL = 50


_LEVELS = {
    **{level.name: level for level in Level},
    **{"NOTICE": Level.INFO, "WARN": Level.WARNING, "FATAL": Level.CRITICAL},
}


def level_named(word: str) -> Level | None:
    """The level of this name, in any case; None if there is none."""
    return _LEVELS.get(word.upper())


@dataclass(frozen=True)
class Wanted:
    """Which records are wanted: of this level or a higher one, and with a line that matches."""

    level: Level = Level.DEBUG
    pattern: re.Pattern[str] | None = None

    @classmethod
    def of(cls, level: str | None, grep: str | re.Pattern[str] | None) -> Wanted | None:
        """What these arguments ask for; None for everything. Raises ValueError, re.error."""
        if level is None and grep is None:
            return None
        if level is not None and level.upper() not in _LEVELS:
            names = ", ".join(each.name.lower() for each in Level)
            raise ValueError(f"{level!r} is not a level; the levels are {names}")
        wanted = _LEVELS[level.upper()] if level else Level.DEBUG
        return cls(wanted, None if grep is None else re.compile(grep))


class Sieve:
    """Lets the lines of wanted records through, each record whole; other lines are dropped.

    A record begins with a line that has a timestamp or a level at its head. All lines below belong
    to it up to the next such line. A request and a line of uWSGI are a record each, and so is a
    traceback below one.
    """

    def __init__(self, wanted: Wanted) -> None:
        self._wanted = wanted
        self._held: deque[str] = deque(maxlen=_MOST_HELD)
        self._level = Level.DEBUG
        self._is_matched = self._is_passing = False
        # Whether the record has one line, has a traceback, and stands amid one.
        self._is_single, self._has_traceback, self._is_amid = True, False, False
        self.count = 0

    def sift(self, lines: Iterable[str]) -> Iterator[str]:
        """Those of the next lines that are wanted."""
        for line in lines:
            yield from self.take(line)

    def last(self, lines: Iterable[str], number: int) -> Iterator[str]:
        """The lines of the last wanted records among the next lines."""
        records: deque[list[str]] = deque(maxlen=number)
        for line in lines:
            before = self.count
            taken = self.take(line)
            if self.count > before:
                records.append([])
            if records:
                records[-1].extend(taken)
        return chain.from_iterable(records)

    def take(self, line: str) -> Iterable[str]:
        """The lines that are known to be wanted, now that this one has been read."""
        if not line or line[0].isspace():
            self._is_amid |= self._has_traceback and bool(line)
            return self._added(line)
        level, is_single = _judged(line)
        if level is not None and is_single and self._is_amid:
            # Of another process, amid a traceback.
            return self._alone(line, level)
        if level is not None:
            return self._begun(line, level, is_single=is_single)
        if _TRACEBACK.match(line):
            return self._traced(line)
        self._is_amid = False
        if self._is_single:
            return self._begun(line, Level.INFO, is_single=True)
        return self._added(line)

    def _traced(self, line: str) -> Iterable[str]:
        if self._is_single:
            lines = self._begun(line, Level.ERROR, is_single=False)
        else:
            self._level = max(self._level, Level.ERROR)
            lines = self._added(line)
        self._has_traceback = self._is_amid = True
        return lines

    def _begun(self, line: str, level: Level, *, is_single: bool) -> Iterable[str]:
        self._held.clear()
        self._level, self._is_single = level, is_single
        self._is_matched = self._is_passing = self._has_traceback = self._is_amid = False
        return self._added(line)

    def _added(self, line: str) -> Iterable[str]:
        if self._is_passing:
            return (line,)
        self._is_matched = self._is_matched or self._matches(line)
        self._held.append(line)
        if not self._is_matched or self._level < self._wanted.level:
            return ()
        self._is_passing = True
        self.count += 1
        lines = tuple(self._held)
        self._held.clear()
        return lines

    def _alone(self, line: str, level: Level) -> Iterable[str]:
        if level < self._wanted.level or not self._matches(line):
            return ()
        self.count += 1
        return (line,)

    def _matches(self, line: str) -> bool:
        pattern = self._wanted.pattern
        return pattern is None or pattern.search(line) is not None


def last_wanted(file: LogFile, count: int, wanted: Wanted) -> tuple[int, int]:
    """An offset from which a log has more than `count` wanted records, and how many it has.

    If it has no more at all, the offset is 0.
    """
    end, length = file.size, _FIRST
    while count:
        start = file.line_start(end - length)
        file.position = start
        sieve = Sieve(wanted)
        for line in file.lines(end):
            sieve.take(line)
        # The first one may begin further up.
        if sieve.count > count or not start:
            return start, sieve.count
        length *= _MORE
    return file.line_start(end), 0


def _judged(line: str) -> tuple[Level | None, bool]:
    """The level of the record that a line begins, and whether it has one line; None if it is not.

    A request is an error if it was answered with 5xx, and a warning with 4xx, as in Django's log.
    """
    if status := status_of(line):
        return _of_status(status), True
    end = head_of(line)
    if not end and not _OPENING.match(line):
        return (Level.ERROR, True) if _FAILURE.match(line) else (None, False)
    if found := _LEVEL.search(line, 0, end + _HEAD):
        word = next(filter(None, found.groups())).upper()
        return _LEVELS.get(word, Level.INFO), False
    is_uwsgis = line.startswith(" - ", end - 3)
    return (Level.ERROR if _FAILURE.search(line, end) else Level.INFO), is_uwsgis


def _of_status(status: str) -> Level:
    return {"5": Level.ERROR, "4": Level.WARNING}.get(status[0], Level.INFO)
