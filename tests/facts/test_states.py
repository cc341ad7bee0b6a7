"""The states themselves."""

from __future__ import annotations

from backstage.facts.states import State


def test_a_state_reads_as_its_word() -> None:
    """A state converts to its word in messages, and a caller's word to its state."""
    assert [f"{state}" for state in State] == [
        *("stopped", "waiting", "starting", "running", "unhealthy"),
        *("reloading", "sleeping", "failing", "stopping"),
    ]
    assert State("sleeping") is State.SLEEPING
