"""What people are told about Acts in trouble, and through what."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

from .states import State

VERSION = 1


class Kind(Enum):
    """What a notice is about; `HELD`: too many notices."""

    TROUBLE = "trouble"
    OVER = "over"
    HELD = "held"
    TEST = "test"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True)
class Target:
    """Who is told: a `url` of Apprise, or a `command`."""

    url: str = ""
    command: str = ""

    @property
    def key(self) -> str:
        """Tells targets apart without saying what may be a secret."""
        return hashlib.sha256(f"{self.url} {self.command}".encode()).hexdigest()[:16]

    @property
    def shown(self) -> str:
        """The target without what may be a secret: all of a URL but its scheme."""
        return self.command or f"{self.url.partition('://')[0]}://…"


@dataclass(frozen=True, kw_only=True)
class Notice:
    """One message; `since` is when the trouble began, in seconds since the epoch as `at` is.

    `state` is that of the Act. `lasted` is for how many seconds it was in trouble.
    """

    kind: Kind
    venue: str
    at: float
    act: str = ""
    state: str = ""
    since: float = 0.0
    lasted: float = 0.0
    reason: str = ""

    @property
    def title(self) -> str:
        """The notice in a few words."""
        if self.kind is Kind.TROUBLE:
            return f"{self.act} is {self.state}"
        if self.kind is Kind.OVER:
            return f"{self.act} {self._again}"
        return "too many messages" if self.kind is Kind.HELD else "a test"

    @property
    def text(self) -> str:
        """The notice in a sentence."""
        where = f"{self.act} in {self.venue}"
        if self.kind is Kind.TROUBLE:
            moment = datetime.fromtimestamp(self.since).strftime("%H:%M:%S")
            return f"{where} is {self.state} since {moment}: {self.reason or 'it is not known why'}"
        if self.kind is Kind.OVER:
            return f"{where} {self._again}; it was in trouble for {_duration(self.lasted)}"
        if self.kind is Kind.HELD:
            return f"More messages about {self.venue} are held back for up to an hour; {_LOOK}"
        return f"This is a test from {self.venue}: messages arrive."

    @property
    def fields(self) -> dict[str, object]:
        """The notice for a program."""
        return {
            "version": VERSION,
            "kind": str(self.kind),
            "venue": self.venue,
            "act": self.act,
            "state": self.state,
            "since": self.since,
            "at": self.at,
            "reason": self.reason,
            "title": self.title,
            "text": self.text,
        }

    @property
    def _again(self) -> str:
        return "runs again" if self.state == "running" else f"is {self.state}"


_LOOK = "to see all, type: backstage events --since 1h"


@dataclass(frozen=True)
class Delivery:
    """What came of telling a target; `error` is '' if it was told."""

    target: Target
    error: str = ""


@dataclass(frozen=True)
class Trouble:
    """An Act that fails, does not answer well, or was given up.

    `since` is when that began and `over` when it ended, if it did, by a clock that nobody sets;
    `began` is the first by the wall clock. `told` tells whether people know.
    """

    state: State
    reason: str
    since: float
    began: float
    over: float | None = None
    told: bool = False


@dataclass(frozen=True)
class Failure:
    """The `key` of a target that could not be told, and when, in seconds since the epoch."""

    key: str
    error: str
    at: float


@dataclass(frozen=True)
class Undelivered:
    """A notice that targets still miss, told by their keys; it was `tried` so often."""

    notice: Notice
    keys: tuple[str, ...]
    tried: int = 0


@dataclass(frozen=True)
class Memory:
    """What outlives a watcher: troubles by Act, when notices were sent, and what failed last.

    Also the notices that are to be sent, and until when it is not said again that there are too
    many, by the clock that nobody sets.
    """

    troubles: Mapping[str, Trouble] = field(default_factory=dict)
    sent: tuple[float, ...] = ()
    failures: tuple[Failure, ...] = ()
    undelivered: tuple[Undelivered, ...] = ()
    held: float = 0.0


def _duration(seconds: float) -> str:
    minutes, rest = divmod(max(0, int(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h {minutes}m" if hours else f"{minutes}m {rest}s" if minutes else f"{rest}s"
