"""How an Act is once it was told to start, to stop or to use what has changed."""

from __future__ import annotations

from dataclasses import dataclass

from ...errors import ActFailed, BackstageError
from ...facts.snapshots import Snapshot
from ...facts.states import State
from ..exits import Exit, exit_of
from ..results import Document
from .screen import Screen, harmless


@dataclass(frozen=True)
class Aftermath:
    """What is seen of the Act afterwards, and what went wrong."""

    now: Snapshot
    error: BackstageError | None = None

    @property
    def document(self) -> Document:
        return {"state": str(self.now.state), "url": self._url or None, "reason": self._reason}

    @property
    def exit(self) -> Exit:
        return exit_of(self.error) if self.error else Exit.DONE

    def show(self, screen: Screen, width: int = 0, took: str = "") -> None:
        """Print a line about it, and where to read on if it went wrong.

        `width` is that of the column of names, `took` stands in front of what is told.
        """
        name, told = self.now.name.ljust(width), harmless(self._reason or self._url)
        screen.state_line(name, self.now.state, f"{took}{told}")
        for line in self._more:
            screen.line(f"    {harmless(line)}")

    @property
    def _url(self) -> str:
        return self.now.url if self.now.state is State.RUNNING else ""

    @property
    def _reason(self) -> str:
        known = self.error.reason if isinstance(self.error, ActFailed) else ""
        return known or (str(self.error).partition("\n")[0] if self.error else "")

    @property
    def _more(self) -> list[str]:
        """Where to read on, or the last lines of the log where nothing else tells why."""
        if not isinstance(self.error, ActFailed):
            return []
        if self.error.reason:
            return [f"more: backstage logs {self.now.name}"]
        return self.error.log_tail.splitlines()[-6:]
