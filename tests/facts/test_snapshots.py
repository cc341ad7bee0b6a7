"""Snapshots as text for people."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace
from datetime import datetime

import pytest

from backstage.facts.snapshots import Snapshot
from backstage.facts.states import State

NEXT_TRY = datetime(2026, 5, 4, 9, 8, 7).timestamp()
STOPPED = Snapshot(
    name="blog",
    state=State.STOPPED,
    since=None,
    port=None,
    pid=None,
    workers=0,
    threads=0,
    busy=0,
    requests=0,
    latency=0.0,
    memory=0,
    cpu=0.0,
    restarts=0,
    attempts=0,
    next_try=None,
    reason="",
)
RUNNING = replace(STOPPED, state=State.RUNNING, port=8001, pid=4242)
FAILING = replace(STOPPED, state=State.FAILING, port=8001, reason="No module named 'shop'")


@pytest.mark.parametrize(
    ("snapshot", "told"),
    [
        (STOPPED, "blog stopped"),
        (RUNNING, "blog running, port 8001, pid 4242"),
        (replace(RUNNING, port=None), "blog running, pid 4242"),
        (FAILING, "blog failing, port 8001, No module named 'shop'"),
        (
            replace(FAILING, attempts=3, next_try=NEXT_TRY),
            "blog failing, port 8001, No module named 'shop', tried 3 times, again at 09:08:07",
        ),
        # The time is unknown, so none is shown.
        (replace(FAILING, attempts=3), "blog failing, port 8001, No module named 'shop'"),
        (replace(RUNNING, next_try=NEXT_TRY), "blog running, port 8001, pid 4242"),
    ],
)
def test_a_snapshot_reads_as_one_line(snapshot: Snapshot, told: str) -> None:
    """Only known facts appear."""
    assert str(snapshot) == told


def test_a_snapshot_is_a_fact() -> None:
    assert replace(RUNNING) == RUNNING != STOPPED
    with pytest.raises(FrozenInstanceError):
        RUNNING.pid = 1  # type: ignore[misc]
