"""The state of an Act after it was started, stopped or changed."""

from __future__ import annotations

from dataclasses import dataclass

from ...errors import ActFailed, BackstageError, CheckFailed
from ...facts.snapshots import Snapshot
from ...facts.states import ANSWERING
from ..exits import Exit, exit_of
from ..results import Document
from .further import further
from .screen import Screen, harmless, harmless_line


@dataclass(frozen=True)
class Aftermath:
    """A snapshot of the Act afterwards, and the error if there was one."""

    now: Snapshot
    error: BackstageError | None = None

    @property
    def document(self) -> Document:
        return {"state": str(self.now.state), "url": self._url or None, "reason": self._reason}

    @property
    def exit(self) -> Exit:
        return exit_of(self.error) if self.error else Exit.DONE

    def show(self, screen: Screen, width: int = 0, took: str = "") -> None:
        """Print a line about it and, after a failure, where to read more.

        `width` is that of the name column; `took` goes before the reason or URL.
        """
        name, told = self.now.name.ljust(width), harmless_line(self._reason or self._url)
        went_on = "not restarted, the new code fails: " if self._was_refused else ""
        screen.state_line(name, self.now.state, f"{took}{went_on}{told}")
        for line in self._more:
            screen.line(f"    {harmless(line)}")

    @property
    def _url(self) -> str:
        return self.now.url if self.now.state in ANSWERING else ""

    @property
    def _was_refused(self) -> bool:
        return isinstance(self.error, CheckFailed)

    @property
    def _reason(self) -> str:
        known = self.error.reason if isinstance(self.error, ActFailed) else ""
        return known or (self.error.at_shell.partition("\n")[0] if self.error else "")

    @property
    def _more(self) -> list[str]:
        return further(self.error) if isinstance(self.error, ActFailed) else []
