"""The times of lines as uWSGI, Django and others write them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest

from backstage.logs.timestamps import Clock, stamp_of

REQUEST = "{rss usage: 46206976 bytes/44MB} [pid: 7|app: 0|req: 1/1] ::1 () [%s] GET / => 3"
LATEST = datetime(2022, 7, 1, tzinfo=UTC).timestamp()

LiveIn = Callable[[str], None]


@pytest.fixture
def live_in(monkeypatch: pytest.MonkeyPatch) -> Iterator[LiveIn]:
    """Puts this machine into another time zone."""

    def move(zone: str) -> None:
        monkeypatch.setenv("TZ", zone)
        time.tzset()

    yield move
    monkeypatch.undo()
    time.tzset()


def told(clock: Clock, line: str) -> str:
    """The time of a line in UTC, as text."""
    moment = clock.moment(line, LATEST)
    return "" if moment is None else datetime.fromtimestamp(moment, UTC).isoformat(" ")[:-6]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("2022-05-01 21:45:51 - spawned uWSGI master process (pid: 7)", "2022-05-01 21:45:51"),
        ("2022-05-01 21:45:51+0200 - goodbye to uWSGI.", "2022-05-01 19:45:51"),
        (
            "Sun May  1 21:45:51 2022 - [emperor] vassal x is loyal",
            "2022-05-01 21:45:51",
        ),
        ("*** Starting uWSGI 2.0.31 on [Sun May  1 21:45:51 2022] ***", "2022-05-01 21:45:51"),
        (REQUEST % "Sun May  1 21:45:51 2022", "2022-05-01 21:45:51"),
        ("2022-05-01T21:45:51+0000 WARNING django.request: Not Found: /", "2022-05-01 21:45:51"),
        ("2022-05-01T21:45:51-0330 ERROR shop: no", "2022-05-02 01:15:51"),
        ("2022-05-01 21:45:51,250 shop WARNING", "2022-05-01 21:45:51.250000"),
        ("2022-05-01T21:45:51.25Z shop", "2022-05-01 21:45:51.250000"),
        ("[2022-05-01 21:45:51 +0000] [7] [INFO] Listening", "2022-05-01 21:45:51"),
        ('127.0.0.1 - - [01/May/2022:23:45:51 +0200] "GET /" 200', "2022-05-01 21:45:51"),
        ('[01/May/2022 21:45:51] "GET / HTTP/1.1" 200 12', "2022-05-01 21:45:51"),
    ],
)
def test_times_as_they_are_written(live_in: LiveIn, line: str, expected: str) -> None:
    live_in("UTC0")
    assert told(Clock(), line) == expected


@pytest.mark.parametrize(
    "line",
    [
        "",
        "Traceback (most recent call last):",
        '  File "/x.py", line 2, in <module>  # [Sun May  1 21:45:51 2022]',
        "ZeroDivisionError: division by zero",
        "compiled with version: 12.2.0 on 01 May 2022 15:33:08",
        "2022-02-30 21:45:51 - there is no such day",
        "2022-05-01T21:45:51+9900 there is no such time zone",
        "Sun Mai  1 21:45:51 2022 - there is no such month",
        "0001-01-01 00:00:00 - nobody logged anything then",
        "2022-05-01 21:45:61 - there is no such second",
        # Later than it can be.
        "2031-05-01 21:45:51 - spawned",
        "2031-05-01T21:45:51+0000 WARNING shop: spawned",
    ],
)
def test_no_times(live_in: LiveIn, line: str) -> None:
    live_in("JST-9")
    assert told(Clock(), line) == ""


def test_who_wrote_a_line() -> None:
    stamps = map(
        stamp_of,
        [
            "2022-05-01 21:45:51 - spawned uWSGI worker 1 (pid: 8, cores: 4)",
            "2022-05-01 21:45:51 - WSGI app 0 (mountpoint='') ready in 1 seconds",
            REQUEST % "Sun May  1 21:45:51 2022",
            "2022-05-01 21:45:51 - *** Starting uWSGI 2.0.31 on [Sun May  1 21:45:51 2022] ***",
            "*** Starting uWSGI 2.0.31 on [Sun May  1 21:45:51 2022] ***",
        ],
    )
    assert [stamp and stamp.worker for stamp in stamps] == [False, True, True, False, False]


# One minute of an Act's log on a machine nine hours ahead of UTC.
TOKYO = [
    ("2022-05-02 06:45:50 - spawned uWSGI worker 1 (pid: 8, cores: 4)", "21:45:50"),
    ("2022-05-01 21:45:51 - WSGI app 0 (mountpoint='') ready in 1 seconds", "21:45:51"),
    (REQUEST % "Sun May  1 21:45:52 2022", "21:45:52"),
    ("2022-05-01 21:45:53 - announcing my loyalty to the Emperor...", "21:45:53"),
    ("2022-05-01T21:45:54+0000 WARNING django.request: Not Found: /", "21:45:54"),
    ("2022-05-02 06:45:55 - received message 1 from emperor", "21:45:55"),
    ("2022-05-01 21:45:56 - Gracefully killing worker 1 (pid: 8)...", "21:45:56"),
    ("2022-05-02 06:45:57 - goodbye to uWSGI.", "21:45:57"),
]
# The same minute on a machine five hours behind UTC.
NEW_YORK = [(line.replace("2022-05-02 06", "2022-05-01 16"), expected) for line, expected in TOKYO]


@pytest.mark.parametrize(("zone", "lines"), [("JST-9", TOKYO), ("EST5", NEW_YORK)])
# Without the lines above it, the seventh could be a master's.
@pytest.mark.parametrize("first", [0, 1, 2, 3, 4, 5, 7])
def test_masters_and_workers_in_different_zones(
    live_in: LiveIn, zone: str, lines: list[tuple[str, str]], first: int
) -> None:
    """This holds from whichever line reading begins."""
    live_in(zone)
    clock = Clock()
    assert [told(clock, line)[11:] for line, _ in lines[first:]] == [
        expected for _, expected in lines[first:]
    ]


def test_the_zone_of_django_holds_for_the_workers(live_in: LiveIn) -> None:
    """It applies once a line names it, until another line names a different one."""
    live_in("UTC0")
    clock = Clock()
    assert told(clock, "2022-05-01T23:45:51+0200 WARNING shop: low") == "2022-05-01 21:45:51"
    assert told(clock, REQUEST % "Mon May  2 08:00:00 2022") == "2022-05-02 06:00:00"
    assert told(clock, "2022-05-02 10:00:00 - received message 1") == "2022-05-02 10:00:00"


def test_workers_without_django_are_in_the_zone_of_the_machine(live_in: LiveIn) -> None:
    live_in("JST-9")
    clock = Clock()
    assert told(clock, "2022-05-02 06:45:50 - spawned uWSGI worker 1") == "2022-05-01 21:45:50"
    assert told(clock, REQUEST % "Mon May  2 06:45:52 2022") == "2022-05-01 21:45:52"
    # A day later, only the learnt zone can decide.
    assert told(clock, REQUEST % "Tue May  3 09:00:00 2022") == "2022-05-03 00:00:00"


def test_slow_requests_tell_when_they_began(live_in: LiveIn) -> None:
    live_in("EST5")
    clock = Clock()
    assert told(clock, "2022-05-01 16:45:52 - spawned uWSGI worker 1") == "2022-05-01 21:45:52"
    assert told(clock, REQUEST % "Sun May  1 21:44:52 2022") == "2022-05-01 21:44:52"
