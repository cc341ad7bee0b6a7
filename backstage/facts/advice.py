"""What to do next, as a value: the call in Python and the command at a shell."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .command_line import join


@dataclass(frozen=True)
class Advice:
    """What to do: `aim` in words, then the call for Python and the command for a shell."""

    aim: str
    call: str
    command: str

    @property
    def in_python(self) -> str:
        return f"{self.aim}, call: {self.call}"

    @property
    def at_shell(self) -> str:
        return f"{self.aim}, type: {self.command}"


# Where there is no Venue at all.
FIRST_VENUE = Advice("to make one", "new_venue('MyVenue')", "backstage new-venue MyVenue")


def make_venue(path: Path, aim: str = "to make a Venue there") -> Advice:
    """Make the Venue at this path, or finish it."""
    call = f"new_venue({path.name!r}, {str(path.parent)!r})"
    return Advice(aim, call, join(["backstage", "new-venue", str(path)]))


def make_act(venue: Path, name: str, aim: str) -> Advice:
    """Make an Act of this name, or finish it."""
    command = join(["backstage", "--venue", str(venue), "new-act", name])
    return Advice(aim, f"new_act(venue, {name!r})", command)
