"""The timestamps in lines of logs: those of uWSGI, Django and ASGI servers."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_TIME = r"(?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d)"
_OFFSET = r"(?: ?(?P<offset>Z|[+-]\d\d:?\d\d))?"
_MONTH = f"(?P<month>{'|'.join(_MONTHS)})"
_CTIME = rf"\w{{3}} {_MONTH} (?P<day>[ \d]\d) {_TIME} (?P<year>\d{{4}})"
# Timestamps at the head of a line; the first two are uWSGI's, the third that of Python's logging.
_HEADS = (
    re.compile(rf"(?P<year>\d{{4}})-(?P<month>\d\d)-(?P<day>\d\d) {_TIME}{_OFFSET} - "),
    re.compile(rf"{_CTIME} - "),
    re.compile(
        rf"\[?(?P<year>\d{{4}})-(?P<month>\d\d)-(?P<day>\d\d)[ T]{_TIME}"
        rf"(?:[.,](?P<fraction>\d{{1,6}}))?{_OFFSET}"
    ),
)
# Timestamps in brackets further on: of uWSGI's requests and starts, and of Apache-like access logs.
_BRACKETS = (
    re.compile(rf"\[{_CTIME}\]"),
    re.compile(rf"\[(?P<day>\d\d)/{_MONTH}/(?P<year>\d{{4}})[: ]{_TIME}{_OFFSET}\]"),
)
_PATTERNS = (*_HEADS, *_BRACKETS)
# Lines with a timestamp of uWSGI that workers write once the application has loaded.
_OF_WORKERS = ("WSGI app ", "announcing my loyalty", "...The work of process ")
_START = "*** Starting uWSGI"
# A request is logged at its end with the time of its beginning: mostly this many seconds at most.
_SLOW = 120.0
# Lines this close to each other, in seconds, are in the same time zone.
_NEAR = 60.0


@dataclass(frozen=True)
class Stamp:
    """The timestamp of a line, as written.

    `zone` is None if the line names none; `worker` tells whether a worker process wrote it.
    """

    written: datetime
    zone: tzinfo | None
    worker: bool


def stamp_of(line: str) -> Stamp | None:
    """The timestamp of a line; None if it has none, as when it continues the line above."""
    if not line or line[0].isspace():
        return None
    for number, head in enumerate(_HEADS):
        if match := head.match(line):
            worker = number == 2 or line.startswith(_OF_WORKERS, match.end())
            return _stamp(match.group(), number, worker)
    for number, bracket in enumerate(_BRACKETS, len(_HEADS)):
        if match := bracket.search(line):
            return _stamp(match.group(), number, worker=not line.startswith(_START))
    return None


@lru_cache(maxsize=1024)
def _stamp(text: str, number: int, worker: bool) -> Stamp | None:
    match = _PATTERNS[number].match(text)
    found = match.groupdict() if match else {}
    try:
        month = found["month"]
        written = datetime(
            int(found["year"]),
            _MONTHS.index(month) + 1 if month in _MONTHS else int(month),
            int(found["day"]),
            int(found["hour"]),
            int(found["minute"]),
            int(found["second"]),
            int((found.get("fraction") or "0").ljust(6, "0")),
        )
        return Stamp(written, _zone(found.get("offset")), worker)
    except ValueError:
        # It looks like a time, but is not a valid one.
        return None


def _zone(offset: str | None) -> tzinfo | None:
    if not offset:
        return None
    if offset == "Z":
        return UTC
    distance = timedelta(hours=int(offset[1:3]), minutes=int(offset[-2:]))
    return timezone(-distance if offset[0] == "-" else distance)


class Clock:
    """Computes the times of one log's lines, from the first to the last.

    uWSGI logs no time zone. Its master uses that of this machine; a worker that has loaded Django
    uses Django's, which is UTC unless an earlier line shows another. The order of the lines decides
    which of the two applies or, if it cannot, the process that wrote the line.
    """

    def __init__(self) -> None:
        self._last = -math.inf
        self._read: Stamp | None = None
        # None means the zone of this machine.
        self._workers: tzinfo | None = UTC

    def moment(self, line: str, latest: float) -> float | None:
        """When a line was written, in seconds since the epoch; None if it has no timestamp.

        A time after `latest` is not accepted.
        """
        stamp = stamp_of(line)
        if stamp is None:
            return None
        if stamp is self._read:
            # The same second as the line above: a common case.
            return self._last
        moment = self._resolve(stamp, latest)
        if moment is not None:
            self._last, self._read = moment, stamp
        return moment

    def _resolve(self, stamp: Stamp, latest: float) -> float | None:
        if stamp.zone:
            self._workers = stamp.zone
            told = stamp.written.replace(tzinfo=stamp.zone).timestamp()
            return told if told <= latest else None
        here = stamp.written.timestamp()
        workers = stamp.written.replace(tzinfo=self._workers).timestamp()
        if not stamp.worker:
            return self._likelier(here, workers, latest)
        moment = self._likelier(workers, here, latest)
        if moment not in {workers, None}:
            self._workers = None
        return moment

    def _likelier(self, expected: float, other: float, latest: float) -> float | None:
        for patience in (_NEAR, math.inf):
            for moment in (expected, other):
                if self._last - _SLOW <= moment <= min(latest, self._last + patience):
                    return moment
        return expected if expected <= latest else None
