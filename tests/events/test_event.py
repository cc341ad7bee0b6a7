"""Events as people read them."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from datetime import datetime

import pytest

from backstage.events.event import Event
from backstage.facts.states import State

AT = datetime(2026, 5, 4, 9, 8, 7, 654_999).timestamp()


@pytest.mark.parametrize(
    ("before", "after", "reason", "told"),
    [
        (
            State.RUNNING,
            State.RELOADING,
            "changed: threads = 4 → 8",
            "09:08:07.654 blog: running → reloading (changed: threads = 4 → 8)",
        ),
        (State.STOPPING, State.STOPPED, "", "09:08:07.654 blog: stopping → stopped"),
        (
            State.RUNNING,
            State.RUNNING,
            "edit refused",
            "09:08:07.654 blog: running (edit refused)",
        ),
    ],
)
def test_an_event_reads_as_one_line(before: State, after: State, reason: str, told: str) -> None:
    """When it was, what changed and why; a state that stayed is named once."""
    assert str(Event("blog", before, after, AT, reason)) == told


def test_an_event_is_a_fact() -> None:
    """It equals another with the same content, and nobody changes it."""
    event = Event("blog", State.STOPPED, State.STARTING, AT, "")
    assert event == Event("blog", State.STOPPED, State.STARTING, AT, "")
    assert event != Event("shop", State.STOPPED, State.STARTING, AT, "")
    assert len({event, Event("blog", State.STOPPED, State.STARTING, AT, "")}) == 1
    with pytest.raises(FrozenInstanceError):
        event.act = "shop"  # type: ignore[misc]
