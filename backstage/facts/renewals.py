"""What an upgrade of a Venue does, or has done."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path


class Fate(Enum):
    """What becomes of a shipped file in a Venue."""

    RENEWED = "renewed"
    ADDED = "added"
    KEPT = "kept"
    WAITS = "waits"

    def __str__(self) -> str:
        return self.value


class Cause(Enum):
    """Why the Emperor must be replaced."""

    CONFIGURATION = "emperor.ini"
    WATCHER = "the watcher"
    UWSGI = "another uWSGI"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True)
class Renewal:
    """A file that a new version of the library has a new text for.

    `file` is relative to the Venue, unless it is outside. A file that was edited is kept: `edits`
    is how it differs from what was shipped, `beside` the file with the new text, '' if there is
    none, and `is_news` tells whether this upgrade puts it there. `command` is what to type for one
    that waits or was kept, '' if nothing is to be typed, and `first` what to do before.
    """

    file: str
    fate: Fate
    edits: tuple[str, ...] = ()
    beside: str = ""
    is_news: bool = False
    command: str = ""
    first: str = ""


@dataclass(frozen=True)
class Replacement:
    """Why the Emperor must be replaced, and for how many seconds all Acts are away, roughly."""

    causes: tuple[Cause, ...]
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Upgrade:
    """An upgrade of a Venue: planned, or `done`.

    `files` are those that are not as this version ships them. `library` tells whether the private
    copy of the library is renewed. `restarted` are the Acts that restart for it; `passed_over` are
    Acts that did not run well before: they take the new files when they start or restart next.
    `emperor` is None if it need not be replaced; `replaced` tells whether it is.
    """

    venue: Path
    files: tuple[Renewal, ...] = ()
    library: bool = False
    restarted: tuple[str, ...] = ()
    passed_over: tuple[str, ...] = ()
    emperor: Replacement | None = None
    replaced: bool = False
    done: bool = False

    @property
    def changes(self) -> bool:
        """Whether anything is changed."""
        made = {Fate.RENEWED, Fate.ADDED}
        renews = any(each.fate in made or each.is_news for each in self.files)
        return renews or self.library or self.replaced or bool(self.restarted)

    @property
    def waits(self) -> bool:
        """Whether something is left for another call."""
        unmade = any(each.fate is Fate.WAITS for each in self.files)
        return unmade or (self.emperor is not None and not self.replaced)
