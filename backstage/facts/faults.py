"""What is wrong in a vassal file, as a value."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """Something in a vassal file, or in a file that it includes, that cannot work.

    `file` is relative to the Venue where it lies in it, as `vassals/blog.ini`. `line` counts from
    1 and is None where the file as a whole is at fault; `key` is the option in that line. `remedy`
    is advice in words, '' for none.
    """

    file: str
    line: int | None
    key: str
    what: str
    remedy: str = ""

    @property
    def why(self) -> str:
        """What is wrong and what helps, without the place."""
        return f"{self.what}; {self.remedy}" if self.remedy else self.what

    def __str__(self) -> str:
        where = f"{self.file}, line {self.line}" if self.line else self.file
        return f"{where}: {self.why}"
