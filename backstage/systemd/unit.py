"""The unit by which systemd runs the Emperor of a Venue, as a text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from ..layout.settings import Limits, Logs
from ..system.seals import sealed

_WORKING_DIRECTORY = re.compile(r"^WorkingDirectory=(?P<path>.+)$", re.MULTILINE)
_UNFIT = re.compile(r"[^A-Za-z0-9_.-]")
_HOMES = (Path("/home"), Path("/root"), Path("/run/user"))
_TEMPORARY = (Path("/tmp"), Path("/var/tmp"))
_TO_JOURNAL = "Environment=BACKSTAGE_JOURNAL=yes"


@dataclass(frozen=True, kw_only=True)
class Unit:
    """What the unit of a Venue is made of.

    `user` is who the Emperor runs as, '' in a user's own systemd; `places` are the directories that
    it reads its programs from, the Venue's own and that of its Python.
    """

    venue: Path
    python: Path
    user: str
    group: str
    limits: Limits
    logs: Logs
    places: tuple[Path, ...]

    @property
    def own(self) -> bool:
        """Whether it is one of a user's own systemd."""
        return not self.user

    @property
    def hardening(self) -> tuple[str, ...]:
        """The files in `emperor/` that take away what this kind of unit never needs."""
        if self.own:
            return ("hardening-user.conf",)
        machine = "hardening-system.conf"
        return (machine, "hardening-root.conf") if self.user == "root" else (machine,)

    @property
    def markers(self) -> dict[str, str]:
        """What the files in `emperor/` are filled in with."""
        return {
            "venue": str(self.venue),
            "python": str(self.python),
            "settings": "\n".join(self._settings()),
            "target": "default.target" if self.own else "multi-user.target",
            "home": "read-only" if self._lies_in(_HOMES) else "yes",
            "tmp": "no" if self._lies_in(_TEMPORARY) else "yes",
        }

    def _settings(self) -> list[str]:
        lines = [f"User={self.user}", f"Group={self.group}"] if self.user else []
        if self.limits.memory:
            lines.append(f"MemoryMax={self.limits.memory}")
        if self.limits.cpu:
            lines.append(f"CPUQuota={self.limits.cpu}%")
        if self.limits.tasks:
            lines.append(f"TasksMax={self.limits.tasks}")
        if self.logs is Logs.JOURNAL:
            lines += ["# The journal gets a copy of every log.", _TO_JOURNAL]
        return lines

    def _lies_in(self, homes: tuple[Path, ...]) -> bool:
        return any(place.is_relative_to(home) for place in self.places for home in homes)


def unit_names(venue: Path) -> tuple[str, str]:
    """What the unit of a Venue may be called: by its name, or by its path where that is taken."""
    path = "-".join(part for part in venue.parts[1:])
    return _file_name(venue.name), _file_name(path)


def finished(text: str, name: str) -> str:
    """A unit that knows its name, and is sealed, so that edits are noticed."""
    named = text.replace("@UNIT@", name).replace("@NAME@", name.removesuffix(".service"))
    return sealed(named)


def venue_of(text: str) -> Path | None:
    """The Venue that a unit runs."""
    match = _WORKING_DIRECTORY.search(text)
    return Path(match["path"]) if match else None


def _file_name(words: str) -> str:
    return f"backstage-{_UNFIT.sub('_', words)}.service"
