"""What an Act does per second, from two snapshots of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from backstage.facts.rates import Rates, between
from backstage.facts.snapshots import Snapshot
from backstage.facts.states import State
from tests.seen import IDLE

NOW = 1_700_000_100.0
SEEN = replace(IDLE, since=1_700_000_000.0, requests=500, cpu=20.0)


def test_between_two_looks() -> None:
    before = replace(SEEN, requests=480, cpu=19.0)
    assert between(before, SEEN, 2.0, NOW) == Rates(SEEN, requests=10.0, cpu=0.5, age=100.0)


@pytest.mark.parametrize(
    "before",
    [None, replace(SEEN, pid=811, requests=10), replace(SEEN, requests=501)],
    ids=["seen for the first time", "another process", "counted anew"],
)
def test_what_has_begun_anew_counts_from_its_beginning(before: Snapshot | None) -> None:
    assert between(before, SEEN, 2.0, NOW) == Rates(SEEN, requests=5.0, cpu=0.2, age=100.0)


def test_what_has_just_begun_has_no_rates() -> None:
    assert between(None, SEEN, 1.0, 1_700_000_000.0) == Rates(SEEN, 0.0, 0.0, 0.0)
    assert between(SEEN, SEEN, 0.0, NOW) == Rates(SEEN, 0.0, 0.0, 100.0)


def test_a_state_of_unknown_age_has_none() -> None:
    stopped = replace(SEEN, state=State.STOPPED, since=None, pid=None, requests=0, cpu=0.0)
    assert between(None, stopped, 1.0, NOW) == Rates(stopped, 0.0, 0.0, 0.0)


def test_workers_that_ended_take_their_processor_time_with_them() -> None:
    before = replace(SEEN, cpu=30.0)
    assert between(before, SEEN, 2.0, NOW).cpu == 0.0
