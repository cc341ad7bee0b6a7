"""`backstage status`: the state of Acts, once or continuously."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import nullcontext

import click

from ...facts.lost_parts import LostPart
from ...facts.rates import Rates
from ...facts.states import TROUBLED, State
from ...facts.watching import Watcher, Watching
from ..exits import Exit
from ..options import acts_argument, command
from ..results import Result, Returned, Stream
from ..session import Session
from ..terminal import wording
from ..terminal.columns import COLUMNS, document, trouble
from ..terminal.meter import Meter
from ..terminal.screen import Line, harmless
from ..terminal.table import table

_EXAMPLES = """
backstage status
backstage status blog shop -o name,state,port
backstage status --watch                       # until Ctrl-C
backstage status --json | jq '.result.acts[] | select(.state == "unhealthy")'
"""
# With --watch, numbers are updated this often, in seconds; states at once.
_BEAT = 1.0
# States of the watcher that are shown; in the others it works, or is not to.
_AMISS = frozenset({Watching.HALTED, Watching.MISSING, Watching.OFF})
_USUAL = ("name", "state", "port", "busy", "requests", "memory", "uptime", "restarts")


@command("status", examples=_EXAMPLES, exits=(Exit.FAILED,), for_members=True)
@acts_argument
@click.option("-w", "--watch", is_flag=True, help="Keep running and show every change.")
@click.option(
    "-o",
    "chosen",
    default=",".join(_USUAL),
    metavar="COLUMNS",
    help=f"Columns, separated by commas: {', '.join(COLUMNS)}.",
)
def status(session: Session, acts: tuple[str, ...], watch: bool, chosen: str) -> Returned:
    """Show the state of all Acts or of those named.

    States are observed at this moment, whatever caused them. For a failing or unhealthy Act, the
    reason is shown. Rates are averages since the Act entered its state; with --watch, over the last
    second. What somebody has removed from the Venue is named, with the command that makes it again.
    The exit code is 1 then, and if an Act that is to run is failing, unhealthy or without Emperor.
    """
    columns = chosen.split(",")
    for column in columns:
        if column not in COLUMNS:
            raise click.UsageError(f"no column '{column}'; choose from: {', '.join(COLUMNS)}")
    for name in acts:
        session.act(name)
    view = _View(session, acts, columns)
    return Stream(view.changes()) if watch else view.now()


class _View:
    """A view of some Acts of a Venue, which can be renewed."""

    def __init__(self, session: Session, names: Sequence[str], columns: Sequence[str]) -> None:
        self._venue = session.venue
        self._screen = session.screen
        self._moves = session.screen.is_terminal and not session.as_json
        self._names = frozenset(names)
        self._columns = columns
        self._meter = Meter(session.venue)

    def now(self) -> Result:
        """The states at this moment."""
        reading = self._meter.look()
        rates = [each for each in reading.acts if each.now.name in (self._names or {each.now.name})]
        fails = any(each.now.state in TROUBLED for each in rates)
        watcher, lost = self._venue.watcher, self._venue.lost
        return Result(
            lambda: {
                "venue": str(self._venue.path),
                "emperor": reading.emperor,
                "watcher": watcher.fields,
                "acts": [document(each) for each in rates],
                "lost": [part.fields for part in lost],
            },
            lambda screen: screen.lines(self._lines(rates, reading.emperor, watcher, lost)),
            Exit.FAILED if fails or lost else Exit.DONE,
        )

    def changes(self) -> Iterator[Result]:
        """The states now, after every change, and every second."""
        moving = self._screen.moving() if self._moves else nullcontext()
        with self._venue.events() as events, moving:
            while True:
                yield self.now()
                events.next_within(_BEAT)

    def _lines(
        self, rates: Sequence[Rates], pid: int | None, watcher: Watcher, lost: Sequence[LostPart]
    ) -> Iterator[Line]:
        if "name" in self._columns or not rates:
            yield [(self._head(rates, pid), "bold")]
            yield []
        if not rates:
            yield [("No Acts yet; create one: backstage new-act blog", "")]
        else:
            yield from table(self._screen, self._columns, rates)
        for each in rates:
            if told := trouble(each.now):
                style = self._screen.style(each.now.state)
                yield []
                yield [(harmless(each.now.name), style), (f": {told}", "")]
        for part in lost:
            yield []
            yield [(harmless(str(part)), "bold red")]
        if watcher.state in _AMISS:
            yield []
            yield [(f"The watcher is {watcher}; to learn more: backstage doctor", "")]

    def _head(self, rates: Sequence[Rates], pid: int | None) -> str:
        running = sum(each.now.state is State.RUNNING for each in rates)
        emperor = f"Emperor pid {pid}" if pid else "no Emperor (start one: backstage venue start)"
        acts = wording.count(len(rates), "Act")
        return f"{harmless(str(self._venue.path))}   {emperor}   {running} of {acts} running"
