"""What an Act does per second, computed from two snapshots."""

from __future__ import annotations

from dataclasses import dataclass

from .snapshots import Snapshot


@dataclass(frozen=True)
class Rates:
    """The change from one snapshot of an Act to the next.

    `requests` counts those answered per second; `cpu` is a share of one processor; `age` is how
    long the Act has been in its state, in seconds.
    """

    now: Snapshot
    requests: float
    cpu: float
    age: float


def between(before: Snapshot | None, now: Snapshot, seconds: float, at: float) -> Rates:
    """The rates over the last `seconds` before the moment `at`, in seconds since the epoch.

    Without an earlier snapshot, or if the Act has restarted since, they cover the time that it has
    been in its state.
    """
    age = max(0.0, at - now.since) if now.since else 0.0
    if before is None or before.pid != now.pid or before.requests > now.requests:
        seconds, requests, cpu = age, float(now.requests), now.cpu
    else:
        requests, cpu = float(now.requests - before.requests), now.cpu - before.cpu
    if seconds <= 0:
        return Rates(now, requests=0.0, cpu=0.0, age=age)
    return Rates(now, requests=requests / seconds, cpu=max(0.0, cpu / seconds), age=age)
