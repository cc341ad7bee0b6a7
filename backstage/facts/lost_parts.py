"""A part of a Venue that somebody has removed, as a value."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class LostPart:
    """What is lost, and how it is made again.

    `name` is relative to the Venue; that of a directory ends with a slash. `effect` is what does
    not work without it, in words. `advice` comes before the `command`, '' for none.
    """

    name: str
    effect: str
    command: str
    advice: str = ""

    @property
    def what(self) -> str:
        """The fact without the remedy."""
        return f"is lost: {self.effect}"

    @property
    def fields(self) -> dict[str, str]:
        """The facts as text, by name."""
        return {"part": self.name, "effect": self.effect, "command": self.command}

    def __str__(self) -> str:
        return f"{self.name} {self.what}; {f'{self.advice} type:'.lstrip()} {self.command}"
