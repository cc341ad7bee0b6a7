"""`backstage events`: every state change of the Acts, as it happens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING

import click

from ..options import acts_argument, command
from ..results import Result, Stream
from ..session import Session
from ..terminal.screen import Screen, harmless

if TYPE_CHECKING:
    from ...events.event import Event

_EXAMPLES = """
backstage events                     # until Ctrl-C
backstage events blog --timeout 60   # until nothing happens for a minute
backstage events --json | jq --unbuffered 'select(.result.after == "failing")'
"""


@command("events", examples=_EXAMPLES)
@acts_argument
@click.option(
    "--timeout",
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    help="Exit after this long without an event.",
)
def events(session: Session, acts: tuple[str, ...], timeout: float | None) -> Stream:
    """Print every state change of the Acts as it happens.

    The cause may be this command, the library, an editor or the kernel. Each line has the time, the
    Act, the states before and after, and the reason. If only the reason is new, there is one state.
    While this command runs, edits of vassal files are checked before they take effect.
    """
    for name in acts:
        session.act(name)
    stream = session.venue.events(timeout)

    def results() -> Iterator[Result]:
        with stream:
            for event in stream:
                if not acts or event.act in acts:
                    yield Result(_document(event), shown(event))

    return Stream(results())


def _document(event: Event) -> dict[str, object]:
    return {
        "act": event.act,
        "before": str(event.before),
        "after": str(event.after),
        "at": event.at,
        "reason": event.reason,
    }


def shown(event: Event) -> Callable[[Screen], None]:
    """How an event is shown: as the library prints it, but in colour."""

    def show(screen: Screen) -> None:
        from rich.text import Text

        moment = datetime.fromtimestamp(event.at).strftime("%H:%M:%S.%f")[:-3]
        states = [event.before, event.after] if event.before != event.after else [event.after]
        line = Text.assemble((moment, "dim"), " ", (event.act, "bold"), ": ")
        line.append_text(
            Text(screen.plain(" → ")).join(Text(str(it), screen.style(it)) for it in states)
        )
        line.append(screen.plain(f" ({harmless(event.reason)})") if event.reason else "")
        screen.console.print(line, soft_wrap=True)

    return show
