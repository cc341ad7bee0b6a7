"""The path at which a Venue was made, in the texts that name it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ..facts.command_line import quote


@dataclass(frozen=True)
class FormerPath:
    """The path `before` of a Venue that is at `after` now."""

    before: Path
    after: Path

    def replaced(self, text: str) -> str:
        """The text with the new path; `/srv/Drei` is not named by `/srv/Drei2` or `/x/srv/Drei`."""
        return self._named.sub(lambda _: str(self.after), text)

    def replaced_in_shell(self, text: str) -> str:
        """Like `replaced`, for a script in which the path is a word, quoted if it must be."""
        before, after = quote(str(self.before)), quote(str(self.after))
        if before != str(self.before):
            return text.replace(before, after)
        return self._named.sub(lambda _: after, text)

    def replaced_within(self, value: object) -> object:
        """A value that was read from JSON, with the new path in all its texts."""
        if isinstance(value, str):
            return self.replaced(value)
        if isinstance(value, list):
            return [self.replaced_within(each) for each in value]
        if isinstance(value, dict):
            return {key: self.replaced_within(each) for key, each in value.items()}
        return value

    def lines(self, text: str) -> list[int]:
        """The numbers of the lines that name the former path, counted from 1."""
        rows = enumerate(text.split("\n"), 1)
        return [number for number, line in rows if self._named.search(line)]

    def target(self, link: Path) -> Path | None:
        """Where a link should lead whose target is within the former path; None for others."""
        if not link.is_relative_to(self.before):
            return None
        return self.after / link.relative_to(self.before)

    @cached_property
    def _named(self) -> re.Pattern[str]:
        return re.compile(rf"(?<![\w.-]){re.escape(str(self.before))}(?![\w-]|\.\w)")
