"""Which lines of a log belong together, and how severe they are."""

from __future__ import annotations

import re

import pytest

from backstage.logs.records import Level, Sieve, Wanted

REQUEST = (
    "[pid: 7|app: 0|req: 2/5] ::1 () {28 vars in 314 bytes} [Sun May  1 21:45:51 2022] "
    "GET /x => generated 12 bytes in 3 msecs (HTTP/1.1 %s) 7 headers in 214 bytes "
    "(1 switches on core 0)"
)
DJANGO = "2022-05-01T21:45:51+0000 %s shop.views: %s"
UWSGI = "2022-05-01 21:45:51 - %s"
TRACEBACK = [
    "Traceback (most recent call last):",
    '  File "/x.py", line 2, in view',
    "    raise KeyError from error",
    "KeyError: 'a'",
    "",
    "During handling of the above exception, another exception occurred:",
    "",
    "Traceback (most recent call last):",
    '  File "/y.py", line 3, in view',
    "ValueError: of",
    "several lines",
]
LEVELS = {
    Level.CRITICAL: [DJANGO % ("CRITICAL", "out of stock"), "FATAL: no"],
    Level.ERROR: [
        DJANGO % ("ERROR", "no"),
        "ERROR 2022-05-01 21:45:51,250 views 7 8 no",
        "2022-05-01 21:45:51,250 - shop.views - ERROR - no WARNING",
        "[2022-05-01 21:45:51 +0000] [7] [ERROR] no",
        "[2022-05-01 21:45:51,250: ERROR/MainProcess] no",
        "ERROR:root:no",
        "ERROR:    Exception in ASGI application",
        "[ERROR] no",
        "2022-05-01 21:45:51 [error    ] no",
        '{"time": "2022-05-01T21:45:51", "level": "error", "message": "no"}',
        REQUEST % 500,
        '::1 - - [01/May/2022:21:45:51 +0200] "GET /x HTTP/1.1" 503 7',
        UWSGI % "DAMN ! worker 1 (pid: 8) died, killed by signal 11 :( trying respawn ...",
        UWSGI % "*** HARAKIRI ON WORKER 1 (pid: 8, try: 1) ***",
        UWSGI % "unable to load app 0 (mountpoint='') (callable not found or import error)",
        UWSGI % "bind(): Address already in use [core/socket.c line 769]",
        "Sun May  1 21:45:51 2022 - [emperor] curse the uwsgi instance x.ini (pid: 5)",
        "unable to load app 0",
        TRACEBACK[0],
    ],
    Level.WARNING: [
        DJANGO % ("WARNING", "ERROR is not its level"),
        "WARN low",
        REQUEST % 404,
        UWSGI % "*** WARNING: you are running uWSGI as root !!! ***",
    ],
    Level.INFO: [
        DJANGO % ("INFO", "ERROR is not its level"),
        DJANGO % ("app.ERRORS", "nor is this"),
        REQUEST % 302,
        UWSGI % "spawned uWSGI worker 1 (pid: 8, cores: 4)",
        UWSGI % "unlink(): No such file or directory [core/uwsgi.c line 1661]",
        "an ERROR that somebody printed",
    ],
    Level.DEBUG: [DJANGO % ("DEBUG", "no")],
}


def sifted(lines: list[str], level: str | None = None, grep: str | None = None) -> list[str]:
    wanted = Wanted.of(level, grep)
    assert wanted
    return list(Sieve(wanted).sift(lines))


@pytest.mark.parametrize(
    ("level", "line"), [(level, line) for level, lines in LEVELS.items() for line in lines]
)
def test_how_severe_a_line_is(level: Level, line: str) -> None:
    assert sifted([line], level.name) == [line]
    higher = [each for each in Level if each > level]
    assert not any(sifted([line], each.name) for each in higher)


def test_a_record_is_told_whole() -> None:
    record = [DJANGO % ("ERROR", "failed"), *TRACEBACK]
    lines = [DJANGO % ("INFO", "before"), *record, REQUEST % 500, DJANGO % ("INFO", "after")]
    assert sifted(lines, "error") == [*record, REQUEST % 500]
    assert sifted(lines, grep="y.py") == record
    assert sifted(lines, "error", "several") == record
    assert sifted(lines, "critical", "several") == []


def test_a_traceback_is_an_error_of_the_record_above_it() -> None:
    record = [DJANGO % ("INFO", "tried"), "twice", *TRACEBACK]
    assert sifted([*record, DJANGO % ("INFO", "after")], "error") == record


@pytest.mark.parametrize("above", [REQUEST % 200, UWSGI % "spawned", "somebody printed this"])
def test_a_traceback_below_a_line_that_is_a_record_is_one_of_its_own(above: str) -> None:
    assert sifted([above, *TRACEBACK, REQUEST % 200], "error") == TRACEBACK


def test_the_line_of_another_process_does_not_tear_a_traceback() -> None:
    lines = [*TRACEBACK[:3], REQUEST % 200, *TRACEBACK[3:]]
    assert sifted(lines, "error") == TRACEBACK
    assert sifted(lines, grep="GET /x") == [REQUEST % 200]


def test_printed_lines_are_found_one_by_one() -> None:
    assert sifted(["one", "two", "  of two", "three"], grep="two$") == ["two", "  of two"]


def test_a_record_without_an_end_is_not_held_for_ever() -> None:
    """An Act may write what never ends; its last lines are still found."""
    sieve = Sieve(Wanted.of(None, "needle") or Wanted())
    lines = ["head", *(f"  {number}" for number in range(20_000)), "  needle"]
    assert list(sieve.sift(lines))[-2:] == ["  19999", "  needle"]
    assert len(list(sieve.sift(lines))) < 10_000


def test_what_is_asked_for() -> None:
    assert Wanted.of(None, None) is None
    assert Wanted.of("Warning", None) == Wanted(Level.WARNING)
    with pytest.raises(ValueError, match="'loud' is not a level; the levels are debug, info"):
        Wanted.of("loud", None)
    with pytest.raises(re.error):
        Wanted.of(None, "(")
