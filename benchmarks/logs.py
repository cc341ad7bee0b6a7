"""Reading a long log, compared with `tail` and `grep`."""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from .environments import NEW_VENUE
from .measuring import Limit, Line, Row, Timings, repeat
from .stage import Stage, stop_venue

# The log of an Act with many visitors: its bytes, and the days that it is about.
_SIZE, _DAYS = 200_000_000, 30
_LENGTH = 200
_REQUEST = (
    "[pid: 7|app: 0|req: {number}/{number}] 203.0.113.7 () {{40 vars in 614 bytes}} [{ctime}] "
    "GET /shop/items/{number} => generated 4711 bytes in 12 msecs (HTTP/1.1 {status}) "
    "7 headers in 214 bytes (1 switches on core 0)\n"
)
_ERROR = (
    "{iso} ERROR django.request: Internal Server Error: /shop/items/{number}\n"
    "Traceback (most recent call last):\n"
    '  File "/srv/web/acts/shop/shop/views.py", line 3, in view\n'
    "    raise ValueError(number)\n"
    "ValueError: {number}\n"
)
_EACH = 500
_SOUGHT = "items/4242 "
_FEW = 20


def measure_logs(stage: Stage, pairs: int) -> list[Line]:
    """The last ten minutes of a month, the last errors, what matches a pattern, and all of it."""
    venue = stage.top / "logs"
    stage.finish(stage.python("-c", NEW_VENUE, venue.name, stage.top))
    try:
        (venue / "kept" / "shop.ini").write_text("[uwsgi]\n")
        log = venue / "log" / "shop.log"
        with log.open("w") as file:
            file.writelines(_lines(time.time()))
        return _measured(stage, pairs, venue, log)
    finally:
        stop_venue(venue)


def _measured(stage: Stage, pairs: int, venue: Path, log: Path) -> list[Line]:
    backstage = shlex.join([str(Path(sys.executable).with_name("backstage")), "logs", "shop"])
    ours, path = f"{backstage} --venue {shlex.quote(str(venue))}", shlex.quote(str(log))
    month = f"{ours} --since {_DAYS + 1}d"
    commands = {
        "tail": f"tail -n {_FEW} {path}",
        "ten minutes": f"{ours} --since 10m",
        "grep errors": f"grep -n -A 4 ERROR {path} | tail -n {5 * _FEW}",
        "errors": f"{ours} --errors -n {_FEW}",
        "grep": f"grep '{_SOUGHT}' {path}",
        "pattern": f"{month} --grep '{_SOUGHT}'",
        "cat": f"cat {path}",
        "everything": month,
    }
    stage.settle()

    def measure(_: int) -> Timings:
        return {name: _seconds(stage, command) for name, command in commands.items()}

    measured = repeat("logs", pairs, measure)
    return [
        Row(
            "`logs --since 10m` in 200 MB, beside `tail`",
            measured["ten minutes"],
            measured["tail"],
            Limit(times=1, plus=0.4),
        ),
        Row(
            f"`logs --errors`, the last {_FEW} in 200 MB, beside `grep -A | tail`",
            measured["errors"],
            measured["grep errors"],
            Limit(times=1, plus=0.5),
        ),
        Row("`logs --grep` in all of 200 MB, beside `grep`", measured["pattern"], measured["grep"]),
        Row("`logs` of all 200 MB, beside `cat`", measured["everything"], measured["cat"]),
    ]


def _lines(now: float) -> Iterator[str]:
    count = _SIZE // _LENGTH
    for number in range(count):
        moment = datetime.fromtimestamp(now - (count - number) * _DAYS * 86400 / count, UTC)
        ctime, iso = moment.strftime("%a %b %e %H:%M:%S %Y"), moment.strftime("%FT%T+0000")
        is_bad = not number % _EACH
        if is_bad:
            yield _ERROR.format(iso=iso, number=number)
        yield _REQUEST.format(number=number, ctime=ctime, status=500 if is_bad else 200)


def _seconds(stage: Stage, command: str) -> float:
    began = time.monotonic()
    # Through a pipe: grep stops at the first line if it sees that nobody reads the others.
    stage.finish(stage.start(["sh", "-c", f"{command} | cat > /dev/null"]))
    return time.monotonic() - began
