"""What relocating a Venue that was moved or copied does, or has done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Waiting:
    """Something outside of the Venue that names its former path, and the command that renews it."""

    what: str
    command: str


@dataclass(frozen=True, kw_only=True)
class Relocation:
    """How a Venue that was made at `made_at` is made to work where it is.

    `files` and `links` name the former path, and get the new one; those outside of the Venue are
    absolute. `ports` are the new ones of a copy's Acts, by those of its original. `restarts` tells
    whether an Emperor runs, which is stopped before and started after. `waits` is what this user
    may not change, `left` what still names the former path in the projects and what else is to be
    seen to, one line each. `python` is the interpreter that takes the place of one that is gone, ''
    if none does. `done` tells whether it was carried out.
    """

    venue: Path
    made_at: Path
    is_copy: bool = False
    files: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    ports: Mapping[int, int] = field(default_factory=dict)
    restarts: bool = False
    waits: tuple[Waiting, ...] = ()
    left: tuple[str, ...] = ()
    python: str = ""
    done: bool = False

    @property
    def changes(self) -> bool:
        """Whether there is or was anything to do."""
        something = bool(self.made_at != self.venue or self.files or self.links)
        return something or bool(self.waits or self.python)
