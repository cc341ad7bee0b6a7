"""Waiting on a clock that the test controls."""

from __future__ import annotations

import pytest

from backstage.system.deadlines import Deadline, finite, until


class Clock:
    """A clock that advances by `step` seconds at each reading."""

    def __init__(self, step: float = 0.0) -> None:
        self.now = 1000.0
        self.step = step

    def __call__(self) -> float:
        self.now += self.step
        return self.now


def test_a_deadline_runs_out() -> None:
    """The remaining time is never negative, and the deadline itself counts as expired."""
    clock = Clock()
    deadline = Deadline(10, clock)
    history = []
    for moment in (0, 4, 9.5, 10, 11, 500):
        clock.now = 1000.0 + moment
        history.append((moment, deadline.remaining, deadline.expired))
    assert history == [
        (0, 10, False),
        (4, 6, False),
        (9.5, 0.5, False),
        (10, 0, True),
        (11, 0, True),
        (500, 0, True),
    ]


def test_nobody_sets_its_usual_clock_back() -> None:
    assert Deadline.__init__.__defaults__
    (clock,) = Deadline.__init__.__defaults__
    assert clock.__name__ == "monotonic"


def test_until_ends_as_soon_as_the_condition_holds() -> None:
    answers = iter([False, False, True, False])
    assert until(lambda: next(answers), Deadline(100, Clock(step=1)), pause=0)
    assert list(answers) == [False]


def test_until_ends_with_the_deadline() -> None:
    asked = []
    clock = Clock(step=1)
    assert not until(lambda: asked.append(clock.now) is not None, Deadline(3, clock), pause=0)
    assert asked == [1001, 1002, 1003]


def test_until_asks_once_even_when_it_is_too_late() -> None:
    assert until(lambda: True, Deadline(-5, Clock(step=1)), pause=0)
    assert not until(lambda: False, Deadline(0, Clock(step=1)), pause=0)


@pytest.mark.parametrize("seconds", [float("nan"), float("inf"), -1, -0.001, 1e10])
def test_what_is_no_time_to_wait_is_refused(seconds: float) -> None:
    """Nothing would ever be later than some of these, and no system call waits for the others."""
    with pytest.raises(ValueError, match="is no number of seconds to wait"):
        finite(seconds)


@pytest.mark.parametrize("seconds", [0, 0.5, 30, 1e9])
def test_what_is_a_time_to_wait(seconds: float) -> None:
    assert finite(seconds) == seconds
