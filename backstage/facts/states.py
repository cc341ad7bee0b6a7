"""The states of an Act."""

from __future__ import annotations

from enum import Enum


class State(Enum):
    """Where an Act is. Always what was seen, never what was asked for."""

    STOPPED = "stopped"
    WAITING = "waiting"
    STARTING = "starting"
    RUNNING = "running"
    RELOADING = "reloading"
    SLEEPING = "sleeping"
    FAILING = "failing"
    STOPPING = "stopping"

    def __str__(self) -> str:
        return self.value


# States that pass by themselves, so that what comes after them is to be looked for.
PASSING = frozenset({State.STARTING, State.RELOADING, State.STOPPING})
