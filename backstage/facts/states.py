"""The states of an Act."""

from __future__ import annotations

from enum import Enum


class State(Enum):
    """The state of an Act: always what was observed, never what was requested."""

    STOPPED = "stopped"
    WAITING = "waiting"
    STARTING = "starting"
    RUNNING = "running"
    UNHEALTHY = "unhealthy"
    RELOADING = "reloading"
    SLEEPING = "sleeping"
    FAILING = "failing"
    STOPPING = "stopping"

    def __str__(self) -> str:
        return self.value


# States that end by themselves: the observer has to look for the next one.
PASSING = frozenset({State.STARTING, State.RELOADING, State.STOPPING})
# It answers its port, well or not.
ANSWERING = frozenset({State.RUNNING, State.UNHEALTHY})
# Its processes last: their replacement is an event.
LASTING = ANSWERING | {State.SLEEPING}
# It has a reason, and another one is news.
EXPLAINED = frozenset({State.FAILING, State.UNHEALTHY})
# It is to run, and no visitor gets what they came for.
TROUBLED = frozenset({State.WAITING, State.UNHEALTHY, State.FAILING})
