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
FIRST = Gap(0.0, 0.0, is_new_emperor=False)


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


def gap(seconds: float, *, is_new_emperor: bool = False) -> Gap:
    return Gap(time.time() - seconds, seconds, is_new_emperor)


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
    ("before", "after", "is_new_emperor", "down"),
    [
        (RUNNING, RUNNING, False, 0),
        (RUNNING, FAILING, False, 0),
        # There was no Emperor.
        (RUNNING, RUNNING, True, 60),
        (STOPPED, RUNNING, True, 0),
        (RUNNING, STOPPED, True, 0),
        (FAILING, FAILING, False, 90),
        (FAILING, RUNNING, True, 90),
        # It was down while somebody watched; then nobody knows.
        (FAILING, RUNNING, False, 30),
    ],
)
def test_how_long_it_was_down_while_nobody_watched(
    paths: VenuePaths, before: State, after: State, is_new_emperor: bool, down: int
) -> None:
    """For 60 s, after 30 s in its state."""
    begun(paths, blog=Moment(before, 7))
    if before is not STOPPED:
        aged(paths, 90)
    begun(paths, gap(60, is_new_emperor=is_new_emperor), blog=Moment(after, 8))
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


@pytest.mark.parametrize(("ago", "is_new"), [(0.0, False), (1e7, True)])
def test_an_emperor_is_new_if_it_began_after_the_last_watcher(ago: float, is_new: bool) -> None:
    began = Gap.until_now(time.time() - ago, os.getpid())
    assert began.is_new_emperor is is_new
    assert not Gap.until_now(0.0, os.getpid()).is_new_emperor
    assert Gap.until_now(time.time() + 1000, os.getpid()).seconds == 0
