"""The lines that uWSGI and other servers write about a request."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .timestamps import MONTHS

# The end of uWSGI's line, which nobody else can write: before it are words of the visitor's.
_ENDING = (
    r"=> generated (?P<size>\d+) bytes in (?P<time>\d+) (?P<unit>msecs|micros)(?: via \S+)? "
    r"\(\S+ (?P<status>\d{3})\) \d+ headers in \d+ bytes \(\d+ switches on core \d+\)"
)
_STATUS = re.compile(rf"{_ENDING}$")
_REQUEST = re.compile(
    r".*\[\w{3} (?P<month>\w{3}) (?P<day>[ \d]\d) (?P<clock>\d\d:\d\d:\d\d) (?P<year>\d{4})\] "
    rf"(?P<method>\S+) (?P<path>\S+) {_ENDING}"
)
_APACHE = re.compile(r"\"[A-Z]+ \S+ HTTP/[\d.]+\" (?P<status>\d{3})\b")


@dataclass(frozen=True)
class Request:
    """A request as uWSGI logged it; `time` is when it began, as written there.

    `seconds` is how long the answer took.
    """

    time: str
    method: str
    path: str
    status: str
    seconds: float

    @classmethod
    def read(cls, line: str) -> Request | None:
        """The request in a line; None if the line is another one."""
        match = _REQUEST.fullmatch(line) if "=> generated " in line else None
        if match is None or match["month"] not in MONTHS:
            return None
        month = MONTHS.index(match["month"]) + 1
        day = f"{match['year']}-{month:02}-{match['day'].replace(' ', '0')}"
        scale = 1e3 if match["unit"] == "msecs" else 1e6
        seconds = int(match["time"]) / scale
        time = f"{day} {match['clock']}"
        return cls(time, match["method"], match["path"], match["status"], seconds)


def status_of(line: str) -> str:
    """The status that a request was answered with; '' if the line is not about one."""
    if "=> generated " in line:
        match = _STATUS.search(line)
    else:
        match = _APACHE.search(line) if "HTTP/" in line else None
    return match["status"] if match else ""
