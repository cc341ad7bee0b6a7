"""`backstage venue retire`, and `backstage unretire` for a Venue."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from ..facts.command_line import join
from ..operations import retire_venue
from .exits import Exit
from .results import Result
from .session import Session


def retire(session: Session, *, yes: bool) -> Result:
    """Retire the Venue after asking; where nobody can answer, only with --yes."""
    session.keeps_root = True
    venue = session.venue
    again = join(["backstage", "--venue", str(venue.path), "venue", "retire", "--yes"])
    if not yes and (session.as_json or not sys.stdin.isatty()):
        asked = f"nobody can be asked here whether to stop {venue.path} and move it away"
        raise click.UsageError(f"{asked}; if so, type: {again}")
    if not yes and not click.confirm(f"Stop {venue.path} and move it away?", err=True):
        stays = f"{venue.path} was not retired"
        return Result({}, lambda screen: screen.line(stays), Exit.INTERRUPTED)
    goal = retire_venue.retire(venue)
    back = join(["backstage", "unretire", str(goal)])
    lines = (f"{venue.path} was moved to {goal}", f"to bring it back, type: {back}")
    document = {"venue": str(venue.path), "retired": str(goal)}
    return Result(document, lambda screen: screen.line("\n".join(lines)))


def unretire(path: Path) -> Result:
    """Bring back the Venue that was moved to this path."""
    venue, left = retire_venue.unretire(path)
    lines = [f"{venue.path} is back", *(f"to serve it again, type: {each}" for each in left)]
    document = {"venue": str(venue.path), "emperor": venue.emperor_pid, "left": list(left)}
    return Result(document, lambda screen: screen.line("\n".join(lines)))
