"""What a member of the group asks the watcher, and what comes back: one JSON object on a line.

A reply is any number of `item`s, then either `end` or an `error`; then the next request may follow.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from ..batches import Outcome, Verb
from ..errors import BackstageError
from ..facts.lost_parts import LostPart
from ..facts.snapshots import Snapshot
from ..facts.watching import Watcher
from .failures import Failure
from .values import decoded, encoded

VERSION = 1
# In bytes: the names of 500 Acts, and snapshots of 1000.
LONGEST_REQUEST, LONGEST_REPLY = 64 * 1024, 4 * 1024**2
# Seconds that a request may wait for each Act, and that an Act may be drained.
MOST_WAIT, MOST_DRAIN = 600.0, 60.0


class Ask(Enum):
    """What can be asked for; nothing else is answered."""

    OVERVIEW = "overview"
    EVENTS = "events"
    HISTORY = "history"
    LOGS = "logs"
    EACH = "each"


@dataclass(frozen=True, kw_only=True)
class Request:
    """One request; each kind of it uses the fields that the method of Venue has.

    `venue` is the path of the Venue that is meant: whoever is led to the socket of another one
    asks for nothing there.
    """

    ask: Ask
    venue: str
    version: int = VERSION
    names: tuple[str, ...] | None = None
    verb: Verb | None = None
    wait: float | None = None
    drain: float = 0.0
    check: bool = True
    lines: int | None = None
    since: float | None = None
    follow: bool = False
    level: str | None = None


@dataclass(frozen=True, kw_only=True)
class Overview:
    """The state of a whole Venue; `emperor` is its pid."""

    emperor: int | None
    watcher: Watcher
    acts: tuple[Snapshot, ...]
    lost: tuple[LostPart, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Done:
    """The outcome of a verb for one Act; `error` is None if there was none."""

    now: Snapshot
    seconds: float
    error: Failure | None

    def outcome(self, verb: Verb) -> Outcome:
        """The same as the owner's own call yields."""
        error = self.error.error if self.error else None
        return Outcome(verb=verb, now=self.now, seconds=self.seconds, error=error)


def line_of(value: object) -> bytes:
    """The line of a document."""
    return json.dumps(value, ensure_ascii=False).encode(errors="replace") + b"\n"


def request_of(line: bytes) -> Request:
    """The request in a line. Raises BackstageError if there is none that this version answers."""
    document = document_of(line)
    if document.get("version") != VERSION:
        raise BackstageError("this Venue's watcher is of another version; its owner upgrades it")
    try:
        request = decoded(Request, document)
    except ValueError as error:
        raise BackstageError(f"no request: {error}") from error
    if not (0 <= (request.wait or 0) <= MOST_WAIT and 0 <= request.drain <= MOST_DRAIN):
        most = f"at most {MOST_WAIT:.0f} s, and drain for {MOST_DRAIN:.0f} s"
        raise BackstageError(f"members of the group may wait {most}")
    return request


def document_of(line: bytes) -> Mapping[str, Any]:
    """The JSON object in a line. Raises BackstageError."""
    try:
        document = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise BackstageError("what came is not JSON") from error
    if not isinstance(document, dict):
        raise BackstageError("what came is no JSON object")
    return document


def line_of_request(request: Request) -> bytes:
    """The line of a request."""
    return line_of(encoded(request))
