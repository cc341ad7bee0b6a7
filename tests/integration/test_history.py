"""What happened is known afterwards, with a real Emperor and its watcher."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from backstage.act import Act
from backstage.events.event import Event
from backstage.facts.states import State
from backstage.facts.watching import Watching
from backstage.shortcuts import new_act, new_venue
from backstage.system.deadlines import Deadline, until
from backstage.venue import Venue

from ..patience import PATIENCE
from .calling import call

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def house(stage: Path) -> Iterator[Venue]:
    venue = new_venue("past", stage)
    yield venue
    venue.stop()


@pytest.fixture(scope="module")
def act(house: Venue) -> Act:
    act = new_act(house, "blog")
    sed(act, "processes = .*", "processes = 2")
    # A restart at once would be one with the reload that takes the edit up.
    assert comes_true(lambda: act.snapshot().workers == 2 and last(act).after is State.RUNNING)
    act.restart()
    assert settles(act, 2)
    return act


def comes_true(condition: Callable[[], bool]) -> bool:
    return until(condition, Deadline(PATIENCE), pause=0.05)


def sed(act: Act, old: str, new: str) -> None:
    text = act.paths.vassal.read_text()
    act.paths.vassal.write_text(re.sub(f"^{old}$", new, text, flags=re.MULTILINE))


def told(act: Act) -> list[Event]:
    return list(Venue(act.paths.venue).history(act=act.name))


def last(act: Act) -> Event:
    return told(act)[-1]


def restarts(act: Act) -> int:
    past = act.snapshot().past
    assert past
    return past.restarts


def settles(act: Act, count: int) -> bool:
    """Whether so many restarts are counted, and no more follow."""

    def is_counted() -> bool:
        return restarts(act) >= count and last(act).after is State.RUNNING

    return comes_true(is_counted) and act.state is State.RUNNING and restarts(act) == count


def watcher(venue: Venue) -> int:
    assert comes_true(lambda: venue.watcher.state is Watching.RUNNING)
    pid = venue.watcher.pid
    assert pid
    return pid


@pytest.mark.parametrize("way", ["touch", "restart", "kill", "edit"])
def test_one_restart_is_one(house: Venue, act: Act, way: str) -> None:
    """Also of an Act with several workers, of which none is counted."""
    before, shown = restarts(act), act.snapshot().restarts
    if way == "touch":
        act.paths.vassal.touch()
    elif way == "restart":
        act.restart()
    elif way == "kill":
        assert act.pid
        os.kill(act.pid, signal.SIGKILL)
    else:
        sed(act, "threads = .*", f"threads = {3 + restarts(act)}")
    assert settles(act, before + 1), (before, [str(event) for event in told(act)])
    assert comes_true(lambda: act.snapshot().restarts == shown + 1), (
        shown,
        act.snapshot().restarts,
        [str(event) for event in told(act)],
    )
    assert [event.after for event in told(act)].count(State.RUNNING) > 1
    table = call("status", "-o", "name,restarts,restarts-24h,down-24h", cwd=house.path).stdout
    assert re.search(rf"blog +{shown + 1} +{before + 1} +\d", table), table


def test_each_event_follows_the_one_before(act: Act) -> None:
    events = told(act)
    assert events[0].before is State.STOPPED
    assert all(one.after is two.before for one, two in pairwise(events))


def test_the_command_tells_it(house: Venue, act: Act) -> None:
    done = call("events", "blog", "--since", "1h", cwd=house.path)
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) == len(told(act))
    as_json = call("events", "--since", "1h", "--json", cwd=house.path).stdout
    results = [json.loads(line)["result"] for line in as_json.splitlines()]
    lines = [json.loads(line) for line in house.paths.events.read_text().splitlines()]
    assert [{"version": 1, **result} for result in results] == lines


def test_a_watcher_that_was_killed_loses_what_it_did_not_see(house: Venue, act: Act) -> None:
    """The next one tells it as one event, and since when nobody watched."""
    began, before = time.time(), restarts(act)
    pid = watcher(house)
    os.kill(pid, signal.SIGSTOP)
    act.stop()
    os.kill(pid, signal.SIGKILL)
    assert comes_true(lambda: last(act).after is State.STOPPED)
    event = last(act)
    assert (event.before, event.after) == (State.RUNNING, State.STOPPED)
    assert event.unwatched_since is not None
    assert began - 15 < event.unwatched_since <= event.at
    assert event.reason.startswith("seen when the watcher started; nobody watched since 20")
    act.start()
    assert comes_true(lambda: last(act).after is State.RUNNING)
    assert restarts(act) == before


def test_a_new_emperor_is_a_restart_and_the_time_without_one_is_down(
    house: Venue, act: Act
) -> None:
    before = act.snapshot().past
    watcher(house)
    house.stop()
    stopped = time.time()
    assert comes_true(lambda: time.time() > stopped + 3)
    house.start()
    assert before
    assert settles(act, before.restarts + 1), [str(event) for event in told(act)]
    past = act.snapshot().past
    assert past
    assert past.down >= before.down + 3


def test_a_failing_act_is_down(house: Venue, act: Act) -> None:
    wsgi = act.paths.top / "blog" / "wsgi.py"
    good = wsgi.read_text()
    wsgi.write_text("import nothing_of_that_name\n")
    act.paths.vassal.touch()
    assert comes_true(lambda: last(act).after is State.FAILING)
    assert "nothing_of_that_name" in last(act).reason

    def down() -> float:
        past = act.snapshot().past
        return past.down if past else 0

    begun = down()
    assert comes_true(lambda: down() > begun + 1)
    wsgi.write_text(good)
    act.start()
    assert comes_true(lambda: last(act).after is State.RUNNING)
    total = down()
    assert total > begun + 1
    time.sleep(0.2)
    assert down() == total


def test_the_files_are_the_owners_alone(house: Venue, act: Act) -> None:
    assert house.paths.events.stat().st_mode & 0o777 == 0o600
    assert act.paths.past.stat().st_mode & 0o777 == 0o600


def test_history_goes_on_with_a_line_that_a_kill_cut(house: Venue, act: Act) -> None:
    with house.paths.events.open("ab") as file:
        file.write(b'{"version": 1, "act": "blog", "bef')
    count = len(told(act))
    act.restart()
    assert comes_true(lambda: len(told(act)) >= count + 2)


def test_a_retired_act_is_remembered(house: Venue, act: Act) -> None:
    act.retire()
    done = call("events", "blog", "--since", "1h", cwd=house.path)
    assert comes_true(lambda: last(act).after is State.STOPPED)
    assert "blog: " in done.stdout
    assert comes_true(lambda: not act.paths.past.exists())
