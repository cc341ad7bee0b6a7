"""The text of the unit with which systemd runs the Emperor of a Venue."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from ..layout.settings import Limits, Logs
from ..system.seals import sealed

_WORKING_DIRECTORY = re.compile(r"^WorkingDirectory=(?P<path>.+)$", re.MULTILINE)
_USER = re.compile(r"^User=(?P<name>.+)$", re.MULTILINE)
_UNFIT = re.compile(r"[^A-Za-z0-9_.-]")
_HOMES = (Path("/home"), Path("/root"), Path("/run/user"))
_TEMPORARY = (Path("/tmp"), Path("/var/tmp"))
# How long a stop may take, in seconds, without the draining before it.
_STOP = 45
_TO_JOURNAL = "Environment=BACKSTAGE_JOURNAL=yes"


@dataclass(frozen=True, kw_only=True)
class Unit:
    """The values in the unit of a Venue.

    `user` is the user that the Emperor runs as, '' in a user's own systemd; `places` are the
    directories that hold its programs: the Venue's own and that of its Python. `drain` is how long
    its Acts are drained before a stop, in seconds.
    """

    venue: Path
    python: Path
    user: str
    group: str
    limits: Limits
    logs: Logs
    places: tuple[Path, ...]
    drain: float = 0.0

    @property
    def own(self) -> bool:
        """Whether it belongs to a user's own systemd."""
        return not self.user

    @property
    def hardening(self) -> tuple[str, ...]:
        """The files in `emperor/` that drop the rights that this kind of unit never needs."""
        if self.own:
            return ("hardening-user.conf",)
        machine = "hardening-system.conf"
        return (machine, "hardening-root.conf") if self.user == "root" else (machine,)

    @property
    def markers(self) -> dict[str, str]:
        """The values of the placeholders in the files of `emperor/`."""
        return {
            "venue": str(self.venue),
            "python": str(self.python),
            "settings": "\n".join(self._settings()),
            "drain": f" {self.drain:g}" if self.drain else "",
            "stop": f"{_STOP + self.drain:g}",
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
    """The possible names of a Venue's unit: from its name or, if that is taken, from its path."""
    path = "-".join(part for part in venue.parts[1:])
    return _file_name(venue.name), _file_name(path)


def finished(text: str, name: str) -> str:
    """The text with the unit's name filled in, and a seal that reveals later edits."""
    named = text.replace("@UNIT@", name).replace("@NAME@", name.removesuffix(".service"))
    return sealed(named)


def venue_of(text: str) -> Path | None:
    """The Venue whose Emperor a unit runs; None if the text names none."""
    match = _WORKING_DIRECTORY.search(text)
    return Path(match["path"]) if match else None


def user_of(text: str) -> str:
    """The user that a unit of the machine runs its Emperor as; '' if it names none."""
    match = _USER.search(text)
    return match["name"] if match else ""


def _file_name(words: str) -> str:
    return f"backstage-{_UNFIT.sub('_', words)}.service"
