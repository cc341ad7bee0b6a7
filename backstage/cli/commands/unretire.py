"""`backstage unretire`: bring back an Act or a Venue."""

from __future__ import annotations

from contextlib import nullcontext

import click

from ... import shortcuts
from ...act import Act
from ...errors import NoSuchAct, NotAVenue
from .. import venue_retirement
from ..exits import Exit
from ..options import command
from ..results import Result
from ..rights import start_unit
from ..session import Session

_EXITS = (Exit.FAILED, Exit.REFUSED, Exit.PORT, Exit.SYSTEM, Exit.LATE, Exit.BUSY)
_EXAMPLES = """
backstage unretire blog
backstage unretire 2026-11-22-blog     # not the last one of that name
backstage unretire blog --as blog2
backstage unretire /srv/MyVenue.retired-2026-11-22
"""


@command("unretire", examples=_EXAMPLES, exits=_EXITS)
@click.argument("what", metavar="ACT|PATH")
@click.option("--as", "new_name", metavar="NAME", default="", help="Give the Act another name.")
@click.option("--no-start", is_flag=True, help="Do not start it.")
def unretire(session: Session, what: str, new_name: str, no_start: bool) -> Result:
    """Bring back a retired Act, or a retired Venue.

    The project of the Act, its database, vassal file and logs are where they were. It starts if it
    was to run when it was retired. If its port is taken, it gets another one.

    A Venue, named by the path where it is now, is moved back to its place. It runs and is served as
    before.
    """
    if "/" in what or "." in what:
        if new_name:
            raise click.UsageError("--as is for an Act; a Venue comes back under its own name")
        return venue_retirement.unretire(what)
    try:
        act = _brought_back(session, what, new_name, start=not no_start)
    except (NotAVenue, NoSuchAct):
        venue_retirement.refuse_former(what)
        raise
    seen = act.snapshot()
    document = {
        **{"act": act.name, "state": str(seen.state)},
        **{"port": seen.port, "url": seen.url or None},
    }
    return Result(document, lambda screen: screen.state_line(act.name, seen.state, seen.url))


def _brought_back(session: Session, name: str, new_name: str, *, start: bool) -> Act:
    if start:
        start_unit(session)
    with nullcontext() if session.as_json else session.screen.waiting(f"Bringing back {name}"):
        return shortcuts.unretire_act(session.venue, name, new_name=new_name, start=start)
