"""What a watcher writes down, with no Emperor."""

from __future__ import annotations

import os
import time
from itertools import pairwise
from pathlib import Path

import pytest

from backstage.events import past_events
from backstage.events.event import Event
from backstage.events.history import Moment
from backstage.facts.past import Past
from backstage.facts.states import State
from backstage.layout.paths import VenuePaths
from backstage.status import tallies
from backstage.system import processes
from backstage.watcher import chronicle
from backstage.watcher.chronicle import Chronicle, Gap

RUNNING, FAILING, STOPPED = State.RUNNING, State.FAILING, State.STOPPED
UP = Moment(RUNNING, 7)
FIRST = Gap(0.0, 0.0)


@pytest.fixture
def paths(tmp_path: Path) -> VenuePaths:
    """A Venue with two Acts."""
    paths = VenuePaths(tmp_path)
    for directory in (paths.log, paths.own, paths.kept, paths.vassals):
        directory.mkdir()
    for name in ("api", "blog"):
        paths.act(name).kept.touch()
    return paths


def begun(paths: VenuePaths, gap: Gap = FIRST, **acts: Moment) -> Chronicle:
    one = Chronicle(paths)
    one.begin(acts, gap)
    return one


def told(paths: VenuePaths) -> list[Event]:
    return list(past_events.read(paths, None))


def past(paths: VenuePaths, *, is_down: bool = False) -> Past:
    tally = tallies.read(paths.act("blog"))
    assert tally
    return tally.past(time.time(), is_down=is_down)


def gap(seconds: float, away: float = 0.0) -> Gap:
    return Gap(time.time() - seconds, away)


def aged(paths: VenuePaths, seconds: float) -> None:
    """Let the numbers of the blog end some time ago."""
    from dataclasses import replace

    tally = tallies.read(paths.act("blog"))
    assert tally
    tallies.write(paths.act("blog"), replace(tally, counted=time.time() - seconds))


def test_events_are_written_and_counted(paths: VenuePaths) -> None:
    one = begun(paths, blog=Moment(STOPPED))
    changes = [STOPPED, State.STARTING, RUNNING, State.RELOADING, RUNNING]
    events = [
        Event("blog", before, after, time.time(), "so", 7) for before, after in pairwise(changes)
    ]
    for event in events:
        one.note(event)
    assert told(paths) == events
    assert past(paths).restarts == 1


def test_what_changed_while_nobody_watched_is_one_event(paths: VenuePaths) -> None:
    """With the time since when; an Act that is as it was is none."""
    first = begun(paths, blog=UP, api=UP)
    first.note(Event("blog", RUNNING, State.RELOADING, time.time(), "", 7))
    before = len(told(paths))
    left = gap(60)
    begun(paths, left, blog=Moment(FAILING, None, reason="no module"), api=UP)
    (event,) = told(paths)[before:]
    assert (event.act, event.before, event.after) == ("blog", State.RELOADING, FAILING)
    assert event.unwatched_since == left.since
    assert event.reason.startswith("no module; seen when the watcher started; nobody watched since")


def test_a_restart_that_nobody_watched_is_seen(paths: VenuePaths) -> None:
    """The Act has loaded its files since then."""
    begun(paths, blog=UP, api=UP)
    aged(paths, 90)
    before, left = len(told(paths)), gap(60)
    loaded = int((left.since - 10) * 1e9), int((left.since + 10) * 1e9)
    begun(paths, left, blog=Moment(RUNNING, 7, loaded=loaded[0]), api=UP)
    assert len(told(paths)) == before
    aged(paths, 90)
    begun(paths, left, blog=Moment(RUNNING, 7, loaded=loaded[1]), api=UP)
    (event,) = told(paths)[before:]
    assert (event.before, event.after, event.unwatched_since) == (RUNNING, RUNNING, left.since)
    assert past(paths).restarts == 1


def test_the_first_watcher_knows_of_nothing_before(paths: VenuePaths) -> None:
    begun(paths, blog=UP, api=Moment(STOPPED))
    (event,) = told(paths)
    assert (event.act, event.before, event.after) == ("blog", STOPPED, RUNNING)
    assert (event.unwatched_since, event.reason) == (0.0, "seen when the first watcher started")


@pytest.mark.parametrize(
    ("before", "after", "away", "down"),
    [
        (RUNNING, RUNNING, 0, 0),
        (RUNNING, FAILING, 0, 0),
        # There was no Emperor.
        (RUNNING, RUNNING, 60, 60),
        (RUNNING, RUNNING, 40, 40),
        (STOPPED, RUNNING, 60, 0),
        (RUNNING, STOPPED, 60, 0),
        (FAILING, FAILING, 0, 90),
        (FAILING, FAILING, 40, 90),
        (FAILING, RUNNING, 60, 90),
        (FAILING, RUNNING, 40, 70),
        # It was down while somebody watched; then nobody knows.
        (FAILING, RUNNING, 0, 30),
    ],
)
def test_how_long_it_was_down_while_nobody_watched(
    paths: VenuePaths, before: State, after: State, away: int, down: int
) -> None:
    """For 60 s, after 30 s in its state."""
    begun(paths, blog=Moment(before, 7))
    if before is not STOPPED:
        aged(paths, 90)
    begun(paths, gap(60, away), blog=Moment(after, 8))
    tally = tallies.read(paths.act("blog"))
    assert past(paths).down == pytest.approx(down, abs=5) if tally else not down


def test_time_down_is_no_matter_of_the_clock(
    paths: VenuePaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which is set forward by an hour meanwhile."""
    one, clock, now = begun(paths, blog=UP), processes.boot_clock(), time.time()
    monkeypatch.setattr(processes, "boot_clock", lambda: clock)
    one.note(Event("blog", RUNNING, FAILING, now, ""))
    monkeypatch.setattr(processes, "boot_clock", lambda: clock + 7)
    monkeypatch.setattr(time, "time", lambda: now + 3600)
    one.note(Event("blog", FAILING, RUNNING, now + 3600, ""))
    assert past(paths).down == pytest.approx(7, abs=0.01)


def test_a_retired_act_leaves_no_numbers(paths: VenuePaths) -> None:
    one = begun(paths, blog=UP)
    paths.act("blog").kept.unlink()
    one.note(Event("blog", State.STOPPING, STOPPED, time.time(), ""))
    assert not paths.act("blog").past.exists()


def test_what_cannot_be_written_is_said_once(
    paths: VenuePaths, capsys: pytest.CaptureFixture[str]
) -> None:
    """And the watcher goes on."""
    one = begun(paths, blog=UP)
    paths.events.unlink()
    paths.events.mkdir()
    for _ in range(5):
        one.note(Event("blog", RUNNING, FAILING, time.time(), ""))
    assert capsys.readouterr().err.count("the history cannot be written") == 1
    paths.events.rmdir()
    one.note(Event("blog", RUNNING, FAILING, time.time(), "again"))
    assert [event.reason for event in told(paths)] == ["again"]


def test_a_watcher_shows_that_it_lives(paths: VenuePaths) -> None:
    assert chronicle.last_alive(paths) == 0
    paths.watcher_lock.touch()
    os.utime(paths.watcher_lock, (1000, 1000))
    assert chronicle.last_alive(paths) == 1000
    begun(paths)
    assert chronicle.last_alive(paths) > 1_000_000


@pytest.fixture
def watched(paths: VenuePaths) -> VenuePaths:
    """A Venue in which the watcher was turned on long ago."""
    paths.watcher.parent.mkdir(parents=True)
    paths.watcher.touch()
    os.utime(paths.watcher, (1000, 1000))
    return paths


def test_no_emperor_ran_until_the_new_one_began(watched: VenuePaths) -> None:
    """This process stands for it."""
    facts = processes.facts(os.getpid())
    assert facts
    began = time.time() - processes.boot_clock() + facts.began
    assert Gap.until_now(watched, began - 60, os.getpid()).away == pytest.approx(60, abs=1)
    assert Gap.until_now(watched, began + 60, os.getpid()) == Gap(began + 60, 0)
    assert Gap.until_now(watched, 0.0, os.getpid()) == Gap(0, 0)
    assert Gap.until_now(watched, began - 60, None).away == 0


def test_while_the_watcher_was_off_an_emperor_may_have_run(watched: VenuePaths) -> None:
    """Another one than now: the system may have booted meanwhile."""
    since = time.time() - 1e7
    assert Gap.until_now(watched, since, os.getpid()).away > 0
    watched.watcher.unlink()
    assert Gap.until_now(watched, since, os.getpid()).away == 0
    watched.watcher.touch()
    assert Gap.until_now(watched, since, os.getpid()).away == 0


def test_nothing_is_kept_in_mind_about_an_act_that_was_retired(
    paths: VenuePaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was stopped before, so nothing tells that it is gone."""
    monkeypatch.setattr(chronicle, "_SIGN", 0.0)
    one = begun(paths, api=UP, blog=UP)
    one.note(Event("blog", RUNNING, STOPPED, time.time(), ""))
    one.beat()
    assert {*one._tallies} == {*one._entered} == {"api", "blog"}
    paths.act("blog").kept.unlink()
    one.beat()
    assert {*one._tallies} == {*one._entered} == {"api"}
