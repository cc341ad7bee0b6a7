"""`backstage new-venue`: create a Venue."""

from __future__ import annotations

from pathlib import Path

import click

from ... import shortcuts
from ...facts.command_line import quote
from ..exits import Exit
from ..options import command
from ..results import Result
from ..session import Session
from ..terminal.screen import Screen
from ..terminal.steps import Steps

_EXITS = (Exit.FAILED, Exit.REFUSED, Exit.PORT, Exit.SYSTEM, Exit.BUSY)
_EXAMPLES = """
backstage new-venue MyVenue
backstage new-venue MyVenue /srv --python 3.12 --requirements requirements.txt
"""


@command("new-venue", examples=_EXAMPLES, exits=_EXITS)
@click.argument("name")
@click.argument("path", default=".", type=click.Path(path_type=Path))
@click.option("--python", metavar="VERSION", help="A version, such as 3.12, or an executable.")
@click.option(
    "--requirements",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Install this requirements file.",
)
@click.option("--no-start", is_flag=True, help="Do not start its Emperor.")
def new_venue(
    session: Session,
    name: str,
    path: Path,
    python: str | None,
    requirements: Path | None,
    no_start: bool,
) -> Result:
    """Create a Venue and start its Emperor.

    PATH/NAME becomes a virtual environment with Django and uWSGI. A Venue that exists is opened and
    started; an incomplete one is completed. On an error, nothing is left behind.
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
        state = f"Emperor running, pid {pid}" if pid else "Emperor not running"
        screen.line(f"Venue {venue.path}: {state}")
        screen.hint(f"Next: cd {quote(venue.path)} && backstage new-act blog")

    return Result(document, show)
