"""`backstage venue`: the Venue as a whole."""

from __future__ import annotations

from collections.abc import Sequence

import click

from ...facts.lost_parts import LostPart
from ...facts.states import State
from ...systemd import client
from .. import venue_retirement
from ..exits import Exit
from ..options import command
from ..results import Result
from ..session import Session
from ..terminal import wording
from ..terminal.screen import Screen

_EXAMPLES = """
backstage venue info
backstage venue stop       # ends the Emperor and all processes of the Acts
backstage venue start      # starts the Emperor and all Acts not stopped
backstage venue retire     # stops it and moves it away, with everything in it
"""
_EXITS = (Exit.FAILED, Exit.REFUSED, Exit.SYSTEM, Exit.BUSY)


@command("venue", examples=_EXAMPLES, exits=_EXITS)
@click.argument("verb", type=click.Choice(["start", "stop", "info", "retire"]))
@click.option("--yes", is_flag=True, help="Do not ask before `retire`.")
def venue(session: Session, verb: str, yes: bool) -> Result:
    """Start, stop, describe or retire the Venue.

    `start` starts its Emperor and, with it, every Act that has not been stopped. `stop` stops them
    all; the next `start` brings back the same Acts. `info` shows where the Venue is and what runs
    in it. If somebody has removed vassals/, kept/, acts/ or log/, `start` makes it again; Acts that
    run are not disturbed. `retire` takes its Acts off their domains, uninstalls its unit, stops
    everything, and moves it beside its place, as NAME.retired-DATE; nothing is deleted.
    `backstage unretire PATH` undoes that.
    """
    if verb == "retire":
        return venue_retirement.retire(session, yes=yes)
    # If a unit runs the Venue, root leaves starting and stopping to systemd.
    session.keeps_root = verb != "info"
    if verb != "info" and not client.service_of(session.venue.path):
        session.give_up_root()
    lost: tuple[LostPart, ...] = ()
    if verb == "start":
        lost = session.venue.lost
        session.venue.start()
    elif verb == "stop":
        session.under_way.add(f"stopping {session.venue.path}")
        session.venue.stop()
        session.under_way.clear()
    return _described(session, lost)


def _described(session: Session, lost: Sequence[LostPart]) -> Result:
    seen = session.venue
    acts = seen.snapshot()
    running = sum(now.state is State.RUNNING for now in acts)
    ports, watcher = seen.settings.ports, seen.watcher
    python = seen.paths.site_packages.parent.name.removeprefix("python")
    still = {part.name for part in seen.lost}
    made = [part.name for part in lost if part.name not in still]
    document = {
        "venue": str(seen.path),
        "emperor": seen.emperor.pid,
        "watcher": watcher.fields,
        "acts": len(acts),
        "running": running,
        "ports": {"first": ports.start, "last": ports.stop - 1},
        "memory": sum(now.memory for now in acts),
        "python": python,
        "made_again": made,
    }

    def show(screen: Screen) -> None:
        pid = seen.emperor.pid
        lines = {
            "Venue": str(seen.path),
            "Emperor": f"running, pid {pid}" if pid else "not running",
            "Watcher": str(watcher),
            "Acts": f"{running} of {len(acts)} running",
            "Memory": wording.size(sum(now.memory for now in acts)),
            "Ports": f"{ports.start} to {ports.stop - 1}",
            "Python": python,
        }
        for name in made:
            screen.line(f"{name} was lost, and is made again")
        for title, text in lines.items():
            screen.line(f"{title:<9}{text}")

    return Result(document, show)
