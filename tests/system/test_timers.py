"""Due times of names, with plain numbers as the clock."""

from __future__ import annotations

import math

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backstage.system.timers import Timers


def moments_of(timers: Timers, name: str, count: int) -> list[int]:
    """The due times, in milliseconds from 0, of a name that is repeated whenever it is due."""
    now, found = 0.0, list[int]()
    for _ in range(count):
        timers.repeat(name, now)
        now += timers.pause(now)
        assert timers.take(now) == {name}
        found.append(round(now * 1000))
    return found


def test_an_empty_agenda_waits_for_ever() -> None:
    assert Timers().pause(5.0) == math.inf
    assert Timers().take(5.0) == set()


def test_a_name_comes_up_at_its_moment_and_once() -> None:
    timers = Timers()
    timers.put("a", 7.0)
    assert timers.pause(5.0) == 2.0
    assert timers.take(6.9) == set()
    assert timers.take(7.0) == {"a"}
    assert timers.take(9.0) == set()
    assert timers.pause(9.0) == math.inf


def test_only_what_is_due_comes_up() -> None:
    timers = Timers()
    for name, moment in {"a": 3.0, "b": 1.0, "c": 2.0}.items():
        timers.put(name, moment)
    assert timers.pause(0.5) == 0.5
    assert timers.take(2.0) == {"b", "c"}
    assert timers.pause(2.5) == 0.5


def test_what_is_overdue_is_not_waited_for() -> None:
    timers = Timers()
    timers.put("a", 1.0)
    assert timers.pause(9.0) == 0.0


def test_the_last_moment_that_was_put_counts() -> None:
    """It may move later or earlier: a file that is still being written postpones it."""
    timers = Timers()
    timers.put("a", 1.0)
    timers.put("a", 2.0)
    assert timers.take(1.5) == set()
    timers.put("a", 1.6)
    assert timers.take(1.6) == {"a"}


def test_what_passes_is_looked_at_soon_then_less_and_less_often() -> None:
    """The pause has an upper limit that users do not notice."""
    assert moments_of(Timers(), "a", 8) == [5, 15, 35, 75, 155, 255, 355, 455]


def test_what_has_passed_begins_anew() -> None:
    timers = Timers()
    moments_of(timers, "a", 6)
    timers.drop("a")
    assert moments_of(timers, "a", 3) == [5, 15, 35]


def test_names_have_pauses_of_their_own() -> None:
    timers = Timers()
    moments_of(timers, "a", 6)
    assert moments_of(timers, "b", 2) == [5, 15]


def test_what_was_dropped_does_not_come_up() -> None:
    timers = Timers()
    timers.put("a", 1.0)
    timers.put("b", 2.0)
    timers.drop("a")
    timers.drop("never there")
    assert timers.pause(0.0) == 2.0
    assert timers.take(9.0) == {"b"}


whole_seconds = st.integers(0, 9).map(float)


@settings(deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from("abcde"), whole_seconds), whole_seconds)
def test_after_its_pause_something_is_always_due(due: dict[str, float], now: float) -> None:
    timers = Timers()
    for name, moment in due.items():
        timers.put(name, moment)
    early = timers.take(now)
    assert early == {name for name, moment in due.items() if moment <= now}
    pause = timers.pause(now)
    assert (pause == math.inf) == (early == due.keys())
    if pause < math.inf:
        assert timers.take(now + pause)
