"""A fault in a vassal file, as a value."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """A mistake in a vassal file, or in a file that it includes.

    `file` is relative to the Venue if it is inside it, as `vassals/blog.ini`. `line` counts from 1;
    None means the file as a whole. `key` is the option in that line. `remedy` is advice as text, ''
    for none.
    """

    file: str
    line: int | None
    key: str
    what: str
    remedy: str = ""

    @property
    def why(self) -> str:
        """The fault and its remedy, without file and line."""
        return f"{self.what}; {self.remedy}" if self.remedy else self.what

    def __str__(self) -> str:
        where = f"{self.file}, line {self.line}" if self.line else self.file
        return f"{where}: {self.why}"
