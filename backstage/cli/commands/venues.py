"""`backstage venues`: this user's Venues."""

from __future__ import annotations

from pathlib import Path

from ...errors import BackstageError
from ...facts.states import State
from ...layout import registry
from ...shortcuts import use_venue
from ...uwsgi import orphans, running
from ...uwsgi.orphans import Orphan
from ...uwsgi.running import MovedVenue
from ..options import command
from ..results import Result
from ..session import Session
from ..terminal import wording
from ..terminal.screen import Screen, harmless


@command("venues", examples="backstage venues")
def venues(session: Session) -> Result:
    """List your Venues and what runs in them.

    Emperors that still run although their Venue was moved or removed are listed too, with what to
    type. Without a register of your Venues, as with another HOME, those that run are listed.
    """
    at_work = running.venues()
    moved = running.moved(at_work)
    paths = [*registry.venues()] or [*at_work]
    found = [entry for path in paths if (entry := _entry(path))]
    left = orphans.find()

    def show(screen: Screen) -> None:
        width = max((len(str(entry["venue"])) for entry in found), default=0)
        for entry in found:
            pid = entry["emperor"]
            state = State.RUNNING if pid else State.STOPPED
            acts = f"{entry['running']} of {wording.count(int(str(entry['acts'])), 'Act')} running"
            screen.state_line(str(entry["venue"]).ljust(width), state, acts)
        for each in moved:
            screen.line(harmless(f"{each}; type: {each.command}"))
        if not found and not moved:
            screen.line("No Venues yet; create one: backstage new-venue MyVenue")
        for orphan in left:
            screen.line(harmless(f"{orphan.venue}: {orphan}; type: {orphan.command}"))

    document = {
        "venues": found,
        "moved": [_moved(each) for each in moved],
        "orphans": [_fields(orphan) for orphan in left],
    }
    return Result(document, show)


def _moved(each: MovedVenue) -> dict[str, object]:
    return {
        "pid": each.pid,
        "venue": str(each.venue),
        "made_at": str(each.made_at),
        "command": each.command,
    }


def _fields(orphan: Orphan) -> dict[str, object]:
    return {
        "pid": orphan.pid,
        "venue": str(orphan.venue),
        "acts": list(orphan.acts),
        "ports": list(orphan.ports),
        "command": orphan.command,
    }


def _entry(path: Path) -> dict[str, object] | None:
    try:
        seen = use_venue(path)
        snapshots = seen.snapshot()
    except BackstageError:
        return None
    return {
        "venue": str(path),
        "emperor": seen.emperor.pid,
        "acts": len(snapshots),
        "running": sum(now.state is State.RUNNING for now in snapshots),
    }
