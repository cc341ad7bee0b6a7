"""`backstage new-venue`, `new-act` and `retire`."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import click

from ... import shortcuts
from ..exits import Exit
from ..options import act_argument, command
from ..results import Result
from ..rights import start_unit
from ..session import Session
from ..terminal.screen import Screen
from ..terminal.steps import Steps

_EXITS = (Exit.FAILED, Exit.REFUSED, Exit.PORT, Exit.SYSTEM, Exit.BUSY)
_NEW_VENUE = """
backstage new-venue MyVenue
backstage new-venue MyVenue /srv --python 3.12 --requirements requirements.txt
"""
_NEW_ACT = """
backstage new-act blog
backstage new-act shop --port 8010
backstage new-act api --template https://example.org/template.zip
"""


@command("new-venue", examples=_NEW_VENUE, exits=_EXITS)
@click.argument("name")
@click.argument("path", default=".", type=click.Path(path_type=Path))
@click.option("--python", metavar="VERSION", help="A version, as 3.12, or an executable.")
@click.option(
    "--requirements",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="A requirements file to install.",
)
@click.option("--no-start", is_flag=True, help="Leave its Emperor alone.")
def new_venue(
    session: Session,
    name: str,
    path: Path,
    python: str | None,
    requirements: Path | None,
    no_start: bool,
) -> Result:
    """Make a Venue and start its Emperor.

    PATH/NAME becomes a virtual environment with Django and uWSGI in it. One that is there already
    is opened and started, one left half made is finished. On an error nothing is left behind.
    """
    steps = Steps(session.screen, silent=session.as_json)
    with steps:
        venue = shortcuts.new_venue(
            name,
            path,
            python=python,
            requirements=requirements,
            start=not no_start,
            progress=steps.begin,
        )
    document = {
        "venue": str(venue.path),
        "emperor": venue.emperor.pid,
        "steps": [{"title": title, "seconds": round(seconds, 3)} for title, seconds in steps.done],
    }

    def show(screen: Screen) -> None:
        pid = venue.emperor.pid
        state = f"its Emperor runs, pid {pid}" if pid else "its Emperor does not run"
        screen.line(f"Venue {venue.path}: {state}")
        screen.hint(f"Next: cd {venue.path} && backstage new-act blog")

    return Result(document, show)


@command("new-act", examples=_NEW_ACT, exits=_EXITS)
@click.argument("name")
@click.option(
    "--template",
    default="django",
    show_default=True,
    metavar="TEMPLATE",
    help="A project template: a directory, an archive or its URL.",
)
@click.option("--port", type=click.IntRange(1, 65535), metavar="PORT", help="If not the next free.")
@click.option("--no-start", is_flag=True, help="Make it, but do not start it.")
def new_act(session: Session, name: str, template: str, port: int | None, no_start: bool) -> Result:
    """Make an Act and start it.

    It gets a Django project in acts/NAME, a database, static files and a port. One that is there
    already is started, and a project that somebody put into acts/NAME is run as it is. On an error
    nothing is left behind.
    """
    if not no_start:
        start_unit(session)
    venue = session.venue
    with nullcontext() if session.as_json else session.screen.waiting(f"Making {name}"):
        act = shortcuts.new_act(venue, name, template=template, port=port, start=not no_start)
    seen = act.snapshot()
    document = {"act": name, "state": str(seen.state), "port": seen.port, "url": seen.url or None}
    return Result(document, lambda screen: screen.state_line(name, seen.state, seen.url))


@command("retire", examples="backstage retire blog", exits=(Exit.SYSTEM, Exit.LATE, Exit.BUSY))
@act_argument
@click.option("--yes", is_flag=True, help="Do not ask.")
def retire(session: Session, act_name: str, yes: bool) -> Result:
    """Stop an Act and put its files aside.

    Project, database and vassal file move to a dated directory below retired/; nothing is deleted.
    """
    found = session.act(act_name)
    if not yes and session.screen.is_terminal and not session.as_json:
        question = f"Stop {act_name} and move it to {found.paths.venue.retired}?"
        if not click.confirm(question, err=True):
            stays = f"{act_name} stays as it is"
            return Result({}, lambda screen: screen.line(stays), Exit.INTERRUPTED)
    goal = found.retire()
    return Result(
        {"act": act_name, "retired": str(goal)},
        lambda screen: screen.line(f"{act_name} lies in {goal}"),
    )
