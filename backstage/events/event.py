"""An event: one change of an Act."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from ..facts.states import State


@dataclass(frozen=True)
class Event:
    """One change of one Act; `act` is its name, `at` when it was seen, in seconds since the epoch.

    Each `before` is the last event's `after`. The two are equal if something other than the state
    changed, as when an edit of the vassal file was refused; `reason` then says what. `pid` is that
    of its master process, if any. `unwatched_since` is None, unless the event was not seen when it
    happened but when a watcher started: then it is when the one before was last alive, 0 if there
    was none. `by` is the user whose action caused it, '' if none of this library's did or it is
    unknown.
    """

    act: str
    before: State
    after: State
    at: float
    reason: str
    pid: int | None = None
    unwatched_since: float | None = None
    by: str = ""

    def __str__(self) -> str:
        moment = datetime.fromtimestamp(self.at).strftime("%H:%M:%S.%f")[:-3]
        change = f"{self.before} → {self.after}" if self.before != self.after else f"{self.after}"
        return f"{moment} {self.act}: {change}{self.explained}"

    @property
    def explained(self) -> str:
        """Why and by whom, as it is put after the change; '' if neither is known."""
        told = f" ({self.reason})" if self.reason else ""
        return f"{told} by {self.by}" if self.by else told
