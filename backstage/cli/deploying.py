"""How a deploy is shown: its steps as they begin, and what it made live."""

from __future__ import annotations

from types import TracebackType

from ..act import Act
from ..operations.deploy import Deployed
from .results import Document, Result
from .session import Session
from .terminal.screen import Screen, harmless


class Progress:
    """Shows the step that is under way."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        return

    def begin(self, title: str) -> None:
        """A step begins."""
        if not self._session.as_json:
            self._session.screen.hint(f"{title} …")


def told(act: Act, done: Deployed) -> Result:
    """The Act and its live release."""
    seen, release = act.snapshot(), done.release
    document: Document = {
        **{"act": act.name, "state": str(seen.state), "url": seen.url or None},
        **{"release": release.id, "commit": release.commit or None, "ref": release.ref or None},
        **{"seconds": dict(release.seconds), "notes": list(done.notes)},
    }

    def show(screen: Screen) -> None:
        what = " ".join(filter(None, [release.id, release.ref, release.commit[:7]]))
        screen.state_line(act.name, seen.state, f"{seen.url}  release {what}".strip())
        for note in done.notes:
            screen.line(f"    {harmless(note)}")

    return Result(document, show)
