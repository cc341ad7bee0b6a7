"""`backstage events`: every state change of the Acts, as it happens or as it was written down."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING

import click

from ...system import lazy
from .. import ages
from ..options import acts_argument, command
from ..results import Result, Stream
from ..session import Session
from ..terminal.screen import Screen, harmless_line

if TYPE_CHECKING:
    from ...events import lines
    from ...events.event import Event
else:
    lines = lazy.module("backstage.events.lines")

_EXAMPLES = """
backstage events                     # until Ctrl-C
backstage events blog --timeout 60   # until nothing happens for a minute
backstage events --since 2d          # what has happened
backstage events --json | jq --unbuffered 'select(.result.after == "failing")'
"""


@command("events", examples=_EXAMPLES, for_members=True)
@acts_argument
@click.option(
    "--since",
    callback=ages.moment,
    metavar="TIME",
    help="Print the events since TIME, and exit: 10m, 2h, 1d, or a date and time.",
)
@click.option("-f", "--follow", is_flag=True, help="After those of --since, go on until Ctrl-C.")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    help="Exit after this long without an event.",
)
def events(
    session: Session,
    acts: tuple[str, ...],
    since: float | None,
    follow: bool,
    timeout: float | None,
) -> Stream:
    """Print every state change of the Acts as it happens.

    The cause may be this command, the library, an editor or the kernel. Each line has the time, the
    Act, the states before and after, and the reason. If only the reason is new, there is one state.
    While this command runs, edits of vassal files are checked before they take effect.

    With --since, it prints what the Venue's watcher has written down, of retired Acts too.
    """
    if since is None:
        for name in acts:
            session.act(name)
        return Stream(_live(session, acts, timeout))
    if follow or timeout is not None:
        return Stream(_both(session, acts, since, timeout))
    return Stream(_past(session, acts, since, math.inf))


def _live(session: Session, acts: tuple[str, ...], timeout: float | None) -> Iterator[Result]:
    with session.venue.events(timeout) as stream:
        for event in stream:
            if not acts or event.act in acts:
                yield _result(event)


def _both(
    session: Session, acts: tuple[str, ...], since: float, timeout: float | None
) -> Iterator[Result]:
    """The past, then what happens from the moment on at which that was read."""
    with session.venue.events(timeout) as stream:
        yield from _past(session, acts, since, time.time())
        for event in stream:
            if not acts or event.act in acts:
                yield _result(event)


def _past(session: Session, acts: tuple[str, ...], since: float, until: float) -> Iterator[Result]:
    told: set[str] = set()
    for event in session.venue.history(since=since):
        if event.at <= until and (not acts or event.act in acts):
            told.add(event.act)
            yield _result(event)
    for name in acts:
        if name not in told:
            session.act(name)


def _result(event: Event) -> Result:
    return Result(lines.fields(event), shown(event))


def shown(event: Event) -> Callable[[Screen], None]:
    """How an event is shown: as the library prints it, but in colour."""

    def show(screen: Screen) -> None:
        from rich.text import Text

        at = datetime.fromtimestamp(event.at)
        is_today = at.date() == datetime.now().date()
        moment = at.strftime("%H:%M:%S.%f" if is_today else "%Y-%m-%d %H:%M:%S.%f")[:-3]
        states = [event.before, event.after] if event.before != event.after else [event.after]
        line = Text.assemble((moment, "dim"), " ", (harmless_line(event.act), "bold"), ": ")
        line.append_text(
            Text(screen.plain(" → ")).join(Text(str(it), screen.style(it)) for it in states)
        )
        line.append(screen.plain(harmless_line(event.explained)))
        screen.console.print(line, soft_wrap=True)

    return show
