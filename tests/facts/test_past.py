"""What is counted of an Act, and the last day as it is told."""

from __future__ import annotations

import pytest

from backstage.facts.past import DAY, Past, Tally
from backstage.facts.states import State

# The middle of a step.
NOW = 1_000_000 * 900.0 + 450
NEW = Tally(since=NOW, counted=NOW)
RUNNING, FAILING, STARTING = State.RUNNING, State.FAILING, State.STARTING
RELOADING, STOPPING, STOPPED = State.RELOADING, State.STOPPING, State.STOPPED


def after(*states: State, tally: Tally = NEW, at: float = NOW) -> Tally:
    for state in states:
        tally = tally.after(state, 7, at)
    return tally


@pytest.mark.parametrize(
    ("states", "restarts"),
    [
        ([STARTING, RUNNING], 0),
        ([STARTING, RUNNING, RELOADING, RUNNING], 1),
        # A worker or the master died.
        ([STARTING, RUNNING, STARTING, RUNNING], 1),
        # A master that was killed: the Emperor may call the new one's start a reload.
        ([STARTING, RUNNING, RELOADING, STARTING, RUNNING], 1),
        ([STARTING, RUNNING, STARTING, RELOADING, RUNNING], 1),
        ([STARTING, FAILING, STARTING, FAILING, STARTING], 2),
        # An Emperor was started.
        ([State.WAITING, STARTING, RUNNING], 0),
        ([STARTING, RUNNING, State.WAITING, STARTING, RUNNING], 1),
        ([STARTING, RUNNING, STOPPING, STOPPED, STARTING, RUNNING], 0),
        ([STARTING, RUNNING, State.SLEEPING, STARTING, RUNNING], 0),
        ([STARTING, RUNNING, State.UNHEALTHY, RUNNING], 0),
    ],
)
def test_what_counts_as_a_restart(states: list[State], restarts: int) -> None:
    tally = after(*states)
    assert tally.past(NOW, is_down=False).restarts == restarts


def test_restarts_since_the_start_begin_anew_with_each() -> None:
    """Those of the day do not."""
    tally = after(STARTING, RUNNING, RELOADING, RUNNING, RELOADING)
    assert (tally.restarts, tally.running) == (2, True)
    tally = after(STOPPING, STOPPED, STARTING, RUNNING, tally=tally)
    assert (tally.restarts, tally.past(NOW, is_down=False).restarts) == (0, 2)


def test_a_new_master_is_a_restart_though_nobody_saw_it_start() -> None:
    tally = after(STARTING, RUNNING).after(FAILING, None, NOW)
    assert tally.after(RUNNING, 8, NOW).restarts == 1
    assert tally.after(RUNNING, 7, NOW).restarts == 0
    assert tally.after(STARTING, 8, NOW).after(RUNNING, 8, NOW).restarts == 1


def test_time_down_lasts_until_now() -> None:
    """Only while it is still down."""
    tally = after(STARTING, FAILING).lasted(100, NOW)
    assert tally.past(NOW + 40, is_down=True).down == 140
    assert tally.past(NOW + 40, is_down=False).down == 100


def test_what_is_counted_late_takes_nothing_from_what_came_after() -> None:
    """The last sign of a watcher may be older than what it counted last."""
    tally = after(STARTING, RUNNING, RELOADING, RUNNING).lasted(100, NOW - 900)
    assert tally.past(NOW, is_down=False) == Past(1, 100, NOW)


def test_a_day_later_nothing_is_left() -> None:
    tally = after(STARTING, RUNNING, RELOADING, RUNNING).lasted(100, NOW)
    assert tally.past(NOW + DAY - 900, is_down=False) == Past(1, 100, NOW)
    assert tally.past(NOW + DAY + 900, is_down=False) == Past(0, 0, NOW + 900)
    assert not tally.after(RUNNING, 7, NOW + DAY + 900).steps


def test_nothing_is_longer_than_a_day() -> None:
    tally = after(FAILING).lasted(50 * DAY, NOW)
    assert tally.past(NOW, is_down=True).down == DAY
    assert len(tally.steps) <= 98


@pytest.mark.parametrize("jump", [-50 * DAY, -3600, 3600, 50 * DAY])
def test_a_clock_that_jumps_makes_nothing_negative(jump: float) -> None:
    tally = after(STARTING, RUNNING, RELOADING, FAILING).lasted(100, NOW)
    for now in (tally.past(NOW + jump, is_down=True), tally.past(NOW + jump, is_down=False)):
        assert 0 <= now.down <= DAY
        assert now.restarts in {0, 1}
        assert now.since <= NOW + jump or jump > 0
    later = tally.after(RUNNING, 7, NOW + jump).lasted(5, NOW + jump)
    assert 5 <= later.past(NOW + jump, is_down=False).down <= 105
