"""How an Act is once it was told to use what has changed."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import ActFailed, BackstageError
from ..snapshots import Snapshot
from ..states import State
from .exits import Exit, exit_of
from .results import Document
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

    def show(self, screen: Screen) -> None:
        """Print a line about it, and where to read on if it went wrong."""
        screen.state_line(self.now.name, self.now.state, harmless(self._reason or self._url))
        if self.error:
            screen.line(f"    more: backstage logs {self.now.name}")

    @property
    def _url(self) -> str:
        reachable = self.now.state is State.RUNNING and self.now.port
        return f"http://localhost:{self.now.port}/" if reachable else ""

    @property
    def _reason(self) -> str:
        if isinstance(self.error, ActFailed) and self.error.reason:
            return self.error.reason
        return str(self.error).partition("\n")[0] if self.error else ""
