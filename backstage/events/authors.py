"""Who acts on an Act: each action leaves a note in run/, and the event that it causes is signed.

Edits by hand leave none, and the owner of a file is no proof of who wrote it.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import Enum

from ..facts.states import State
from ..layout.paths import ActPaths, VenuePaths
from ..system import callers, processes
from ..system.files import open_regular, write_atomically
from .event import Event

# An action is seen within so many seconds; what happens later has another cause.
_SEEN = 30.0
# A note and a name are not longer, in bytes and in characters.
_LONGEST, _LONGEST_NAME = 1000, 100


class Deed(Enum):
    """What an action does to an Act."""

    BEGIN = "begin"
    END = "end"
    MARK = "mark"

    def causes(self, event: Event) -> bool:
        """Whether it can have caused the event; a mark changes no state."""
        if self is Deed.MARK:
            return event.before is event.after
        ends = event.after in {State.STOPPING, State.STOPPED}
        return event.before is not event.after and (self is Deed.BEGIN or ends)


@dataclass(frozen=True)
class _Note:
    """Who did what, and when by a clock that nobody sets."""

    by: str
    deed: Deed
    at: float


def note(act_paths: ActPaths, deed: Deed) -> None:
    """Leave a note that this process's user acts now. Without room for it, it is not left."""
    told = {"by": callers.name(), "deed": deed.value, "at": processes.boot_clock()}
    with suppress(OSError):
        write_atomically(act_paths.author, json.dumps(told), mode=0o600, sync=False)


def withdraw(act_paths: ActPaths) -> None:
    """Take the note back."""
    with suppress(OSError):
        act_paths.author.unlink()


class Authors:
    """Signs the events of a Venue; each note is good for one.

    Notes from before `since`, in seconds since the system booted, are good for none: their events
    may have come before anybody listened here.
    """

    def __init__(self, venue_paths: VenuePaths, since: float) -> None:
        self._paths = venue_paths
        self._since = since
        self._used: dict[str, float] = {}

    def signed(self, event: Event) -> Event:
        """The event, with whose action caused it if that is known."""
        found = _read(self._paths.act(event.act))
        if found is None or self._used.get(event.act) == found.at or not found.deed.causes(event):
            return event
        if found.at < self._since or not 0 <= processes.boot_clock() - found.at <= _SEEN:
            return event
        self._used[event.act] = found.at
        return replace(event, by=found.by)


def _read(act_paths: ActPaths) -> _Note | None:
    try:
        with os.fdopen(open_regular(act_paths.author), "rb") as file:
            told = json.loads(file.read(_LONGEST))
        return _Note(str(told["by"])[:_LONGEST_NAME], Deed(told["deed"]), float(told["at"]))
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
