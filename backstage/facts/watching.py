"""Whether somebody always watches a Venue."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Watching(Enum):
    """The state of a Venue's watcher.

    `STARTING`: the Emperor has just been started. `MISSING`: the Emperor should run it, but it does
    not run. `STOPPED`: there is no Emperor to run it. `UNSUPPORTED`: the Venue was made by a
    version without watchers.
    """

    STARTING = "starting"
    RUNNING = "running"
    HALTED = "halted"
    MISSING = "missing"
    STOPPED = "stopped"
    OFF = "off"
    UNSUPPORTED = "unsupported"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True)
class Watcher:
    """The watcher of a Venue; `pid` is None if it does not run."""

    state: Watching
    pid: int | None = None

    @property
    def fields(self) -> dict[str, str | int | None]:
        """Every field, by name."""
        return {"state": str(self.state), "pid": self.pid}

    def __str__(self) -> str:
        return f"{self.state}, pid {self.pid}" if self.pid else str(self.state)
