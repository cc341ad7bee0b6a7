"""The timestamps in lines of logs: those of uWSGI, Django and ASGI servers."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTH = f"(?P<month>{'|'.join(MONTHS)})"
_TIME = r"(?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d)"
_DAY = r"(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)"
_FRACTION, _NO_FRACTION = r"(?:[.,](?P<fraction>\d{1,6}))?", "(?P<fraction>)"
_OFFSET, _NO_OFFSET = r"(?: ?(?P<offset>Z|[+-]\d\d:?\d\d))?", "(?P<offset>)"
_CTIME = rf"\w{{3}} {_MONTH} (?P<day>[ \d]\d) {_TIME} (?P<year>\d{{4}}){_NO_FRACTION}{_NO_OFFSET}"
# Timestamps at the head of a line: uWSGI's as `log-date` sets it, and without; Python's logging.
_UWSGI = re.compile(rf"{_DAY} {_TIME}{_NO_FRACTION}{_OFFSET} - ")
_UWSGI_PLAIN = re.compile(rf"{_CTIME} - ")
_PYTHON = re.compile(rf"\[?{_DAY}[ T]{_TIME}{_FRACTION}{_OFFSET}")
# Timestamps in brackets further on: of uWSGI's requests and starts, and of Apache-like access logs.
_REQUEST = re.compile(rf"\[{_CTIME}\]")
_ACCESS = re.compile(
    rf"\[(?P<day>\d\d)/{_MONTH}/(?P<year>\d{{4}})[: ]{_TIME}{_NO_FRACTION}{_OFFSET}\]"
)
# Lines with a timestamp of uWSGI that workers write once the application has loaded.
_OF_WORKERS = ("WSGI app ", "announcing my loyalty", "...The work of process ")
_START = "*** Starting uWSGI"
# A request is logged at its end with the time of its beginning: mostly this many seconds at most.
_SLOW = 120.0
# Lines this close to each other, in seconds, are in the same time zone.
_NEAR = 60.0
# Nothing was logged before; some systems cannot compute with the local times of the first years.
_FIRST_YEAR = 1971
# How many minutes are remembered: most lines are of the same one as the line above.
_REMEMBERED = 256


class Stamp(NamedTuple):
    """The timestamp of a line, as written.

    `written` is in seconds since the epoch as if it were UTC. `offset` is how far its zone is ahead
    of UTC, in seconds; None if the line names no zone. `worker` tells whether a worker process
    wrote it.
    """

    written: float
    offset: float | None
    worker: bool


def stamp_of(line: str) -> Stamp | None:
    """The timestamp of a line; None if it has none, as when it continues the line above."""
    first = line[:1]
    if not first or first.isspace():
        return None
    if first.isdigit() or (first == "[" and line[1:2].isdigit()):
        if match := _UWSGI.match(line):
            return _stamp(match, worker=line.startswith(_OF_WORKERS, match.end()))
        if match := _PYTHON.match(line):
            return _stamp(match, worker=True)
    elif first.isalpha() and (match := _UWSGI_PLAIN.match(line)):
        return _stamp(match, worker=line.startswith(_OF_WORKERS, match.end()))
    if match := _REQUEST.search(line) or _ACCESS.search(line):
        return _stamp(match, worker=not line.startswith(_START))
    return None


def head_of(line: str) -> int:
    """Where the timestamp ends that a line begins with; 0 if it begins with none."""
    match = _UWSGI.match(line) or _PYTHON.match(line) or _UWSGI_PLAIN.match(line)
    return match.end() if match else 0


def _stamp(match: re.Match[str], *, worker: bool) -> Stamp | None:
    year, month, day, hour, minute, second, fraction, offset = match.group(
        "year", "month", "day", "hour", "minute", "second", "fraction", "offset"
    )
    known = _minute(year, month, day, hour, minute, offset or "")
    # It may look like a time, but not be a valid one.
    if known is None or second > "59":
        return None
    seconds = float(f"{second}.{fraction}" if fraction else second)
    return Stamp(known[0] + seconds, known[1], worker)


@lru_cache(maxsize=_REMEMBERED)
def _minute(
    year: str, month: str, day: str, hour: str, minute: str, offset: str
) -> tuple[float, float | None] | None:
    """A minute as if it were in UTC, and how far its zone is ahead."""
    number = MONTHS.index(month) + 1 if month in MONTHS else int(month)
    try:
        moment = datetime(int(year), number, int(day), int(hour), int(minute), tzinfo=UTC)
        ahead = _ahead(offset)
    except ValueError:
        return None
    return (moment.timestamp(), ahead) if moment.year >= _FIRST_YEAR else None


def _ahead(offset: str) -> float | None:
    """An offset such as `+02:00` in seconds. Raises ValueError."""
    if not offset:
        return None
    if offset == "Z":
        return 0.0
    hours, minutes = int(offset[1:3]), int(offset[-2:])
    if hours > 23 or minutes > 59:
        raise ValueError(offset)
    return math.copysign(hours * 3600.0 + minutes * 60.0, -1 if offset[0] == "-" else 1)


def _local(minute: float) -> float:
    """A minute that is written in the zone of this machine, in seconds since the epoch."""
    return datetime.fromtimestamp(minute, UTC).replace(tzinfo=None).timestamp()


class Clock:
    """Computes the times of one log's lines, from the first to the last.

    uWSGI logs no time zone. Its master uses that of this machine; a worker that has loaded Django
    uses Django's, which is UTC unless an earlier line shows another. The order of the lines decides
    which of the two applies or, if it cannot, the process that wrote the line.
    """

    def __init__(self) -> None:
        self._last = -math.inf
        # How far the workers' zone is ahead of UTC; None means the zone of this machine.
        self._workers: float | None = 0.0
        # Not for all clocks: a process may change its zone.
        self._local = lru_cache(maxsize=_REMEMBERED)(_local)

    def moment(self, line: str, latest: float) -> float | None:
        """When a line was written, in seconds since the epoch; None if it has no timestamp.

        A time after `latest` is not accepted.
        """
        stamp = stamp_of(line)
        if stamp is None:
            return None
        moment = self._resolve(stamp, latest)
        if moment is not None:
            self._last = moment
        return moment

    def _resolve(self, stamp: Stamp, latest: float) -> float | None:
        if stamp.offset is not None:
            self._workers = stamp.offset
            told = stamp.written - stamp.offset
            return told if told <= latest else None
        seconds = stamp.written % 60
        here = self._local(stamp.written - seconds) + seconds
        workers = here if self._workers is None else stamp.written - self._workers
        if not stamp.worker:
            return self._likelier(here, workers, latest)
        moment = self._likelier(workers, here, latest)
        if moment not in {workers, None}:
            self._workers = None
        return moment

    def _likelier(self, expected: float, other: float, latest: float) -> float | None:
        earliest, near = self._last - _SLOW, min(latest, self._last + _NEAR)
        if earliest <= expected <= near:
            return expected
        if earliest <= other <= near:
            return other
        if earliest <= other <= latest and not earliest <= expected <= latest:
            return other
        return expected if expected <= latest else None
