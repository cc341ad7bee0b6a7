"""How a deploy is shown: its steps as they begin, and what it made live."""

from __future__ import annotations

from collections.abc import Callable

from ..act import Act
from ..operations.deploy import Deployed
from .results import Document, Result
from .session import Session
from .terminal.screen import Screen, harmless


def progress(session: Session) -> Callable[[str], None]:
    """Shows each step as it begins."""
    return lambda title: None if session.as_json else session.screen.hint(f"{title} …")


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
