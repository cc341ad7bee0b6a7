"""What was seen of an Act, and the state that it means."""

from __future__ import annotations

from dataclasses import replace

import pytest

from backstage.states import Penalty, Sighting, State, Vassal, judge

NEW = Vassal(pid=7, ready=False, accepting=False, cursed=False, on_demand=False, respawns=0)
UP = replace(NEW, ready=True, accepting=True)
LOADING = replace(NEW, ready=True)
AGAIN = replace(NEW, respawns=2)
ASLEEP = replace(NEW, on_demand=True, pid=-1)
AWAKE = replace(UP, on_demand=True)
DYING = replace(UP, cursed=True)
PENALTY = Penalty(attempts=3, retry_at=1_800_000_000.5)


@pytest.mark.parametrize(
    ("wanted", "emperor", "vassal", "penalty", "answers", "state"),
    [
        # No vassal file: only what is still there of it counts.
        (False, False, None, None, None, State.STOPPED),
        (False, True, None, None, False, State.STOPPED),
        (False, True, None, PENALTY, None, State.STOPPED),
        (False, True, None, None, True, State.STOPPED),
        (False, True, UP, None, True, State.STOPPING),
        (False, True, DYING, None, False, State.STOPPING),
        # A vassal file, but nobody who reads it.
        (True, False, None, None, None, State.WAITING),
        (True, False, None, None, True, State.WAITING),
        # Not in the Emperor's list: new, or being punished.
        (True, True, None, None, None, State.STARTING),
        (True, True, None, None, True, State.STARTING),
        (True, True, None, PENALTY, None, State.FAILING),
        (True, True, None, PENALTY, True, State.FAILING),
        # In the list.
        (True, True, NEW, None, False, State.STARTING),
        (True, True, LOADING, None, False, State.STARTING),
        (True, True, AGAIN, None, False, State.RELOADING),
        (True, True, UP, None, True, State.RUNNING),
        (True, True, LOADING, None, True, State.RUNNING),
        (True, True, AGAIN, None, True, State.RUNNING),
        (True, True, UP, None, False, State.FAILING),
        (True, True, UP, PENALTY, True, State.RUNNING),
        (True, True, DYING, None, True, State.STOPPING),
        (True, True, ASLEEP, None, False, State.SLEEPING),
        (True, True, ASLEEP, None, None, State.SLEEPING),
        (True, True, AWAKE, None, True, State.RUNNING),
        (True, True, replace(ASLEEP, cursed=True), None, False, State.STOPPING),
        # Without an address to ask at, the Emperor's word is all there is.
        (True, True, UP, None, None, State.RUNNING),
        (True, True, NEW, None, None, State.STARTING),
        (True, True, AGAIN, None, None, State.RELOADING),
    ],
)
def test_state_is_what_was_seen(
    wanted: bool,
    emperor: bool,
    vassal: Vassal | None,
    penalty: Penalty | None,
    answers: bool | None,
    state: State,
) -> None:
    seen = Sighting(wanted=wanted, emperor=emperor, vassal=vassal, penalty=penalty, answers=answers)
    assert judge(seen) is state


def test_a_state_reads_as_its_word() -> None:
    """Both ways: in messages, and where a caller gives a word for a state."""
    assert [f"{state}" for state in State] == [
        *("stopped", "waiting", "starting", "running"),
        *("reloading", "sleeping", "failing", "stopping"),
    ]
    assert State("sleeping") is State.SLEEPING
