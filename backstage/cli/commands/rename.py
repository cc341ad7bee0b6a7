"""`backstage rename`."""

from __future__ import annotations

from contextlib import nullcontext

import click

from ...facts.invisible import visible
from ...operations.rename import rename as rename_act
from ..exits import Exit
from ..options import act_argument, command
from ..results import Result
from ..session import Session
from ..terminal.screen import Screen

_EXITS = (Exit.FAILED, Exit.REFUSED, Exit.PORT, Exit.SYSTEM, Exit.LATE, Exit.BUSY)


@command("rename", examples="backstage rename blog shop", exits=_EXITS)
@act_argument
@click.argument("name", metavar="NAME")
def rename(session: Session, act_name: str, name: str) -> Result:
    """Give an Act another name.

    Its project, data, logs, port, domains and settings in venue.yaml stay its own, and it runs if
    it was to run; meanwhile it is away for a moment. Its Python package keeps its name. What
    happened before is listed under its former name.
    """
    session.keeps_root = True
    with nullcontext() if session.as_json else session.screen.waiting(f"Renaming {act_name}"):
        act, left = rename_act(session.venue, act_name, name)
    seen = act.snapshot()
    former = session.venue.paths.act(act_name).top
    lines = [f"{each} names {former}; change it by hand" for each in map(visible, left)]
    document = {
        **{"act": act.name, "former": act_name, "state": str(seen.state)},
        **{"port": seen.port, "url": seen.url or None, "left": list(left)},
    }

    def show(screen: Screen) -> None:
        screen.state_line(act.name, seen.state, seen.url)
        for line in lines:
            screen.line(line)

    return Result(document, show)
