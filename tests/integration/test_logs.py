"""Logs as real Acts and a real Emperor write them."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from queue import SimpleQueue

import pytest

from backstage.act import Act
from backstage.logs.journal import EMPEROR, Journal
from backstage.logs.source import LogLine
from backstage.shortcuts import new_act
from backstage.venue import Venue
from tests.patience import PATIENCE

from .calling import call, terminal
from .conftest import MakeVenue, fetch


@pytest.fixture(scope="module")
def act(venue: Venue) -> Iterator[Act]:
    act = new_act(venue, "talker")
    yield act
    act.retire()


class Follower:
    """Reads a journal in a thread of its own."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._lines: SimpleQueue[LogLine] = SimpleQueue()
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def next(self, pattern: str) -> re.Match[str]:
        """The next line that a pattern is in."""
        while True:
            line = self._lines.get(timeout=PATIENCE)
            if match := re.search(pattern, f"{line.source}: {line.text}"):
                return match

    def close(self) -> None:
        self._journal.close()
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()

    def _read(self) -> None:
        for line in self._journal:
            self._lines.put(line)


@pytest.fixture
def follower(venue: Venue) -> Iterator[Follower]:
    follower = Follower(venue.logs(lines=0, follow=True))
    yield follower
    follower.close()


@pytest.mark.slow
def test_all_that_happens_is_followed(venue: Venue, act: Act, follower: Follower) -> None:
    fetch(act, "healthz?first")
    follower.next(r"talker: .* GET /healthz\?first => ")
    act.restart()
    follower.next(r"emperor: .* reload the uwsgi instance talker.ini")
    follower.next(r"talker: .* WSGI app 0 .* ready")
    late = new_act(venue, "latecomer")
    follower.next(r"emperor: .* vassal latecomer.ini has been spawned")
    fetch(late, "nothing-there")
    follower.next(r"latecomer: .* WARNING django.request: Not Found: /nothing-there")
    late.retire()


@pytest.mark.slow
def test_uwsgi_rotates_its_log_and_no_request_is_missed(
    venue: Venue, act: Act, follower: Follower
) -> None:
    """Nor is one told twice, and the last lines are those from before and after the rotation."""
    act.stop()
    act.paths.kept.write_text(f"{act.paths.kept.read_text()}\nlog-maxsize = 20000\n")
    act.start()
    # From then on it is a log that uWSGI has not opened itself.
    act.restart()
    rotated = act.paths.log.with_name("talker.log.1")
    begun = act.paths.log.stat().st_ino
    number = 0
    while not (rotated.exists() and rotated.stat().st_ino == begun):
        for _ in range(20):
            number += 1
            fetch(act, f"healthz?number={number}")
            follower.next(rf"healthz\?number={number} ")
        assert number < 5000, f"{act.paths.log} is not rotated"
    for _ in range(5):
        number += 1
        fetch(act, f"healthz?number={number}")
        follower.next(rf"healthz\?number={number} ")
    told = [line.text for line in venue.logs("talker", lines=number + 200)]
    found = [int(match[1]) for line in told if (match := re.search(r"\?number=(\d+) ", line))]
    assert found == list(range(1, number + 1))


@pytest.mark.slow
def test_moments_are_true_where_the_machine_is_not_in_the_zone_of_django(
    make_venue: MakeVenue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """uWSGI's master and its workers then tell times that are hours apart, and no zones."""
    monkeypatch.setenv("TZ", "JST-9")
    time.tzset()
    try:
        venue = make_venue()
        began = time.time()
        act = new_act(venue, "abroad")
        fetch(act, "nothing-there")
        act.restart()
        fetch(act)
        act.stop()
        lines = list(venue.logs(since=began))
    finally:
        monkeypatch.undo()
        time.tzset()
    own = [line.text for line in lines if line.source == "abroad"]
    assert own == act.paths.log.read_text().splitlines()
    hours = {line[:13] for line in own if "spawned uWSGI" in line or "- WSGI app 0" in line}
    assert len(hours) > 1
    assert EMPEROR in {line.source for line in lines}
    moments = [line.at for line in lines if line.at]
    assert int(began) <= min(moments)
    assert max(moments) <= time.time()


def test_in_a_terminal(venue: Venue, act: Act) -> None:
    """Each source in its colour, until Ctrl-C; a request is a short line, unless told otherwise."""
    act.start()
    with terminal("logs", "-f", "-n", "1", cwd=venue.path) as shown:
        shown.await_text(r"^talker +\| ")
        fetch(act, "healthz?typed")
        shown.await_text(r"^talker +\| [-\d]+ [:\d]+ GET /healthz\?typed 200 \d+ ms$")
        shown.type("\x03")
        assert shown.end() == 130
    with terminal("logs", "talker", "--grep", "typed", "--raw", cwd=venue.path) as shown:
        shown.await_text(r"GET /healthz\?typed => generated")
        assert shown.end() == 0


def test_as_json_for_programs(venue: Venue, act: Act, follower: Follower) -> None:
    act.start()
    fetch(act, "healthz?json")
    follower.next(r"healthz\?json")
    done = call("logs", "talker", "-n", "1", "--json", cwd=venue.path)
    assert done.returncode == 0
    assert '"source": "talker"' in done.stdout
    assert "healthz?json" in done.stdout
