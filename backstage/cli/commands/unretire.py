"""`backstage unretire`: bring back an Act."""

from __future__ import annotations

from contextlib import nullcontext

import click

from ... import shortcuts
from ..exits import Exit
from ..options import command
from ..results import Result
from ..rights import start_unit
from ..session import Session

_EXITS = (Exit.FAILED, Exit.REFUSED, Exit.PORT, Exit.SYSTEM, Exit.LATE, Exit.BUSY)
_EXAMPLES = """
backstage unretire blog
backstage unretire 2026-11-22-blog   # not the last one of that name
"""


@command("unretire", examples=_EXAMPLES, exits=_EXITS)
@click.argument("what", metavar="ACT")
@click.option("--no-start", is_flag=True, help="Do not start it.")
def unretire(session: Session, what: str, no_start: bool) -> Result:
    """Bring back a retired Act.

    Its project, database, vassal file and logs are where they were. It starts if it was to run when
    it was retired. If its port is taken, it gets another one.
    """
    if not no_start:
        start_unit(session)
    with nullcontext() if session.as_json else session.screen.waiting(f"Bringing back {what}"):
        act = shortcuts.unretire_act(session.venue, what, start=not no_start)
    seen = act.snapshot()
    document = {
        **{"act": act.name, "state": str(seen.state)},
        **{"port": seen.port, "url": seen.url or None},
    }
    return Result(document, lambda screen: screen.state_line(act.name, seen.state, seen.url))
