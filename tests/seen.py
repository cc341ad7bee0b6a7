"""A snapshot that tests begin with: an Act that runs and has nothing to do."""

from __future__ import annotations

from backstage.facts.snapshots import Snapshot
from backstage.facts.states import State

IDLE = Snapshot(
    name="blog",
    state=State.RUNNING,
    since=1000.0,
    port=8001,
    pid=4242,
    workers=1,
    threads=4,
    busy=0,
    requests=0,
    latency=0.0,
    memory=60_000_000,
    cpu=0.0,
    restarts=0,
    attempts=0,
    next_try=None,
    reason="",
)
