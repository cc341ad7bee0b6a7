"""`backstage retire`: move an Act to retired/."""

from __future__ import annotations

import sys

import click

from ...facts.command_line import join, quote
from ..exits import Exit
from ..options import act_argument, command
from ..results import Result
from ..session import Session


@command(
    "retire",
    examples="backstage retire blog",
    exits=(Exit.FAILED, Exit.SYSTEM, Exit.LATE, Exit.BUSY),
)
@act_argument
@click.option("-y", "--yes", is_flag=True, help="Do not ask; needed where nobody can answer.")
def retire(session: Session, act_name: str, yes: bool) -> Result:
    """Stop an Act and move its files to retired/.

    The project, database, vassal file and logs go to a dated directory there; nothing is deleted.
    `backstage unretire ACT` brings it back.
    """
    found = session.act(act_name)
    if not yes:
        _refuse_unasked(session, act_name)
        question = f"Stop {act_name} and move it to {found.paths.venue.retired}?"
        if not click.confirm(question, err=True):
            stays = f"{act_name} was not retired"
            return Result({}, lambda screen: screen.line(stays), Exit.INTERRUPTED)
    goal = found.retire()
    back = join(["backstage", "unretire", act_name])
    lines = (f"{act_name} was moved to {goal}", f"to bring it back, type: {back}")
    document = {"act": act_name, "retired": str(goal)}
    return Result(document, lambda screen: screen.line("\n".join(lines)))


def _refuse_unasked(session: Session, act_name: str) -> None:
    """Where nobody can answer, an Act is retired only with --yes."""
    if session.as_json or not sys.stdin.isatty():
        raise click.UsageError(
            f"nobody can be asked here whether to stop {act_name} and move it away; "
            f"if so, type: backstage retire {quote(act_name)} --yes"
        )
