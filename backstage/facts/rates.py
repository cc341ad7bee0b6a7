"""What an Act does in a second, from what was seen of it at two moments."""

from __future__ import annotations

from dataclasses import dataclass

from .snapshots import Snapshot


@dataclass(frozen=True)
class Rates:
    """The change from one snapshot of an Act to the next one.

    `requests` are answered in a second; `cpu` is the share of one processor; `age` the seconds
    since the Act is in its state.
    """

    now: Snapshot
    requests: float
    cpu: float
    age: float


def between(before: Snapshot | None, now: Snapshot, seconds: float, at: float) -> Rates:
    """The rates over so many `seconds` up to the moment `at`, in seconds since the epoch.

    Without a snapshot before, or where the Act has begun anew since, they are those since it is in
    its state.
    """
    age = max(0.0, at - now.since) if now.since else 0.0
    if before is None or before.pid != now.pid or before.requests > now.requests:
        seconds, requests, cpu = age, float(now.requests), now.cpu
    else:
        requests, cpu = float(now.requests - before.requests), now.cpu - before.cpu
    if seconds <= 0:
        return Rates(now, requests=0.0, cpu=0.0, age=age)
    return Rates(now, requests=requests / seconds, cpu=max(0.0, cpu / seconds), age=age)
