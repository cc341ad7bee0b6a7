"""`backstage venue`: the Venue as a whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import click

from ...facts.lost_parts import LostPart
from ...facts.snapshots import Snapshot
from ...facts.states import PASSING, TROUBLED, State
from ...operations import end_orphan
from ...system.deadlines import Deadline
from ...systemd import client
from .. import venue_retirement
from ..exits import Exit
from ..options import Seconds, command
from ..results import Result
from ..session import Session
from ..terminal import wording
from ..terminal.screen import Screen, harmless
from ..words import Word

_EXAMPLES = """
backstage venue info
backstage venue stop       # ends the Emperor and all processes of the Acts
backstage venue start      # starts the Emperor and all Acts not stopped
backstage venue stop --orphan 4242
backstage venue retire     # stops it and moves it away, with everything in it
"""
# How long the Acts get to answer, in seconds, and how often they are looked at meanwhile.
_PATIENCE = 30.0
_BEAT = 1.0
# Its files were the wish that the Acts run.
_VASSALS = "vassals/"
_VERBS = ("start", "stop", "info", "retire")
_MEANT = {
    **dict.fromkeys(("restart", "reload"), "restart --all"),
    **dict.fromkeys(("list", "ls"), "venues"),
    **dict.fromkeys(("create", "new", "add", "init"), "new-venue MyVenue"),
    **dict.fromkeys(("show", "describe"), "venue info"),
    **{"up": "venue start", "down": "venue stop"},
    **{"status": "status", "logs": "logs", "upgrade": "upgrade", "doctor": "doctor"},
}
_EXITS = (Exit.FAILED, Exit.REFUSED, Exit.SYSTEM, Exit.BUSY)


@command("venue", examples=_EXAMPLES, exits=_EXITS)
@click.argument("verb", type=Word(_VERBS, _MEANT))
@click.option(
    "--wait",
    type=Seconds(),
    metavar="SECONDS",
    help="How long `start` waits for the Acts to answer: 30 s by default; 0 returns at once.",
)
@click.option("--orphan", type=int, metavar="PID", help="With stop: an Emperor without a Venue.")
@click.option("--yes", is_flag=True, help="Do not ask before `retire`.")
def venue(session: Session, verb: str, wait: float | None, orphan: int | None, yes: bool) -> Result:
    """Start, stop, describe or retire the Venue.

    `start` starts its Emperor and, with it, every Act that has not been stopped. `stop` stops them
    all; the next `start` brings back the same Acts. `info` shows where the Venue is and what runs
    in it. If somebody has removed vassals/, kept/, acts/ or log/, `start` makes it again; Acts that
    run are not disturbed. The exit code of `start` does not depend on the Acts: see status.

    `retire` takes its Acts off their domains, uninstalls its unit, stops everything, and moves it
    beside its place, as NAME.retired-DATE; nothing is deleted. `backstage unretire PATH` undoes
    that.

    If a Venue is removed while it runs, its Emperor and its Acts go on. `backstage venues` lists
    such Emperors, and `stop --orphan PID` kills one with all its Acts.
    """
    if wait is not None and verb != "start":
        raise click.UsageError("--wait works only with start")
    if orphan is not None:
        return _ended(verb, orphan)
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
        _await_acts(session, Deadline(_PATIENCE if wait is None else wait))
    elif verb == "stop":
        session.under_way.add(f"stopping {session.venue.path}")
        session.venue.stop()
        session.under_way.clear()
    return _described(session, lost)


def _ended(verb: str, pid: int) -> Result:
    if verb != "stop":
        raise click.UsageError("--orphan is for `backstage venue stop`")
    gone = end_orphan.end(pid)
    document = {"orphan": pid, "venue": str(gone.venue), "acts": list(gone.acts)}
    acts = f" and its Acts {', '.join(gone.acts)}" if gone.acts else ""
    told = f"the Emperor of {gone.venue} (pid {pid}){acts} ended"
    return Result(document, lambda screen: screen.line(harmless(told)))


def _await_acts(session: Session, deadline: Deadline) -> None:
    """Return when no Act is still starting. If a unit runs the Venue, systemd has waited."""
    if session.keeps_root:
        return
    with session.venue.events() as events:
        while not deadline.expired:
            session.under_way = {
                f"{now.name} is {now.state}"
                for now in session.venue.snapshot()
                if now.state in PASSING
            }
            if not session.under_way:
                break
            events.next_within(min(_BEAT, deadline.remaining))
    session.under_way.clear()


def _counted(acts: Sequence[Snapshot]) -> str:
    """How many Acts run, and the states of those that an Emperor runs, but not well."""
    states = Counter(now.state for now in acts if now.state is not State.WAITING)
    others = [
        f", {count} {state}"
        for state, count in states.items()
        if state not in {State.RUNNING, State.STOPPED}
    ]
    more = " (see: backstage status)" if TROUBLED & states.keys() else ""
    return f"{states[State.RUNNING]} of {len(acts)} running{''.join(others)}{more}"


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
            "Acts": _counted(acts),
            "Memory": wording.size(sum(now.memory for now in acts)),
            "Ports": f"{ports.start} to {ports.stop - 1}",
            "Python": python,
        }
        for name in made:
            screen.line(f"{name} was lost, and is made again")
        for title, text in lines.items():
            screen.line(f"{title:<9}{text}")
        if _VASSALS in made and acts and {now.state for now in acts} == {State.STOPPED}:
            screen.line("Which Acts were to run is lost; to start all: backstage start --all")

    return Result(document, show)
