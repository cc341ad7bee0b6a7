"""The facts about an Act: as columns, as the reason of a failure, and as an object."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime

from ...facts.rates import Rates
from ...facts.snapshots import Snapshot
from ...facts.states import State
from . import wording
from .screen import harmless_line

_NONE = "-"
_BY_URGENCY = (
    *(State.STOPPED, State.SLEEPING, State.RUNNING, State.STOPPING),
    *(State.RELOADING, State.STARTING, State.WAITING, State.UNHEALTHY, State.FAILING),
)


@dataclass(frozen=True)
class Column:
    """A column of `status` and `top`.

    Rows are sorted by `order`, greatest first, then by name; `letter`, one of the title's, is the
    key that sorts by this column.
    """

    title: str
    letter: str
    cell: Callable[[Rates], str]
    order: Callable[[Rates], float]
    right: bool = True


def _of_running(text: Callable[[Rates], str]) -> Callable[[Rates], str]:
    return lambda rates: text(rates) if rates.now.pid else _NONE


COLUMNS = {
    "name": Column(
        "ACT", "a", lambda rates: harmless_line(rates.now.name), lambda _: 0, right=False
    ),
    "state": Column(
        "STATE",
        "t",
        lambda rates: str(rates.now.state),
        lambda rates: _BY_URGENCY.index(rates.now.state),
        right=False,
    ),
    "port": Column(
        "PORT", "p", lambda rates: str(rates.now.port or _NONE), lambda rates: rates.now.port or 0
    ),
    "pid": Column(
        "PID", "d", lambda rates: str(rates.now.pid or _NONE), lambda rates: rates.now.pid or 0
    ),
    "busy": Column(
        "BUSY",
        "b",
        _of_running(lambda rates: f"{rates.now.busy}/{rates.now.threads}"),
        lambda rates: rates.now.busy,
    ),
    "workers": Column(
        "WORKERS",
        "w",
        _of_running(lambda rates: str(rates.now.workers)),
        lambda rates: rates.now.workers,
    ),
    "requests": Column(
        "REQ/S",
        "r",
        _of_running(lambda rates: wording.rate(rates.requests)),
        lambda rates: rates.requests,
    ),
    "latency": Column(
        "LATENCY",
        "y",
        _of_running(lambda rates: wording.latency(rates.now.latency)),
        lambda rates: rates.now.latency,
    ),
    "cpu": Column(
        "CPU",
        "c",
        _of_running(lambda rates: f"{rates.cpu:.0%}"),
        # Idle Acts differ by ticks of the kernel's clock; they keep their places.
        lambda rates: max(round(rates.cpu, 2), 0.01),
    ),
    "memory": Column(
        "MEMORY",
        "m",
        _of_running(lambda rates: wording.size(rates.now.memory)),
        lambda rates: rates.now.memory,
    ),
    "uptime": Column(
        "UPTIME",
        "u",
        _of_running(lambda rates: wording.duration(rates.age)),
        lambda rates: rates.age if rates.now.pid else 0.0,
    ),
    "restarts": Column(
        "RESTARTS",
        "e",
        _of_running(lambda rates: str(rates.now.restarts)),
        lambda rates: rates.now.restarts,
    ),
    "restarts-24h": Column(
        "RESTARTS/24H",
        "2",
        lambda rates: str(rates.now.past.restarts) if rates.now.past else _NONE,
        lambda rates: rates.now.past.restarts if rates.now.past else 0,
    ),
    "down-24h": Column(
        "DOWN/24H",
        "o",
        lambda rates: wording.duration(rates.now.past.down) if rates.now.past else _NONE,
        lambda rates: rates.now.past.down if rates.now.past else 0,
    ),
}


def trouble(now: Snapshot) -> str:
    """Why an Act fails and when it is retried; '' if there is nothing to say."""
    again = ""
    if now.attempts and now.next_try:
        moment = datetime.fromtimestamp(now.next_try).strftime("%H:%M:%S")
        again = f" (tried {wording.count(now.attempts, 'time')}, again at {moment})"
    return f"{harmless_line(now.reason)}{again}" if now.reason else ""


def document(rates: Rates) -> dict[str, object]:
    """All facts about an Act, for programs."""
    return {
        **asdict(rates.now),
        "state": str(rates.now.state),
        "requests_per_second": round(rates.requests, 3),
        "cpu_share": round(rates.cpu, 4),
        "seconds": round(rates.age, 1),
    }
