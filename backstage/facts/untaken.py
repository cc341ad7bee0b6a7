"""An edit that a running Act has not loaded."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from .command_line import quote


@dataclass(frozen=True)
class Untaken:
    """A configuration file that has changed since the Act `act` loaded it.

    `file` is relative to the Venue if it is inside it; `at` is when it changed, in seconds since
    the epoch. `is_own` tells whether it is the Act's vassal file, not one that it includes.
    """

    act: str
    file: str
    at: float
    is_own: bool

    @property
    def what(self) -> str:
        """Such as `edited 14:02, not taken`."""
        moment = datetime.fromtimestamp(self.at)
        told = moment.strftime("%H:%M" if moment.date() == date.today() else "%Y-%m-%d %H:%M")
        edited = f"edited {told}, not taken"
        return edited if self.is_own else f"{self.file} {edited}"

    @property
    def command(self) -> str:
        """What to type so that the Act loads it."""
        return f"backstage restart {quote(self.act)}"

    def __str__(self) -> str:
        return f"{self.what}; type: {self.command}"
