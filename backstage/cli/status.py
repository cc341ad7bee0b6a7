"""`backstage status`: the state of every Act, once or as it changes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Literal

import click

from ..rates import Rates, between
from ..snapshots import Snapshot
from ..states import State
from . import wording
from .exits import Exit
from .options import acts_argument, command
from .results import Result, Returned, Stream
from .screen import harmless
from .session import Session

if TYPE_CHECKING:
    from rich.console import Group, RenderableType
    from rich.table import Table
    from rich.text import Text

_EXAMPLES = """
backstage status
backstage status blog shop -o name,state,port
backstage status --watch                       # until Ctrl-C
backstage status --json | jq '.result.acts[] | select(.state == "failing")'
"""
# With --watch, the numbers are renewed this often, in seconds; states at once.
_BEAT = 1.0
_NONE = "-"


@dataclass(frozen=True)
class _Column:
    title: str
    cell: Callable[[Rates], str]
    right: bool = True


def _of_running(text: Callable[[Rates], str]) -> Callable[[Rates], str]:
    return lambda rates: text(rates) if rates.now.pid else _NONE


_COLUMNS = {
    "name": _Column("ACT", lambda rates: rates.now.name, right=False),
    "state": _Column("STATE", lambda rates: str(rates.now.state), right=False),
    "port": _Column("PORT", lambda rates: str(rates.now.port or _NONE)),
    "pid": _Column("PID", lambda rates: str(rates.now.pid or _NONE)),
    "busy": _Column("BUSY", _of_running(lambda rates: f"{rates.now.busy}/{rates.now.threads}")),
    "workers": _Column("WORKERS", _of_running(lambda rates: str(rates.now.workers))),
    "requests": _Column("REQ/S", _of_running(lambda rates: wording.rate(rates.requests))),
    "latency": _Column("LATENCY", _of_running(lambda rates: wording.latency(rates.now.latency))),
    "cpu": _Column("CPU", _of_running(lambda rates: f"{rates.cpu:.0%}")),
    "memory": _Column("MEMORY", _of_running(lambda rates: wording.size(rates.now.memory))),
    "uptime": _Column("UPTIME", _of_running(lambda rates: wording.duration(rates.age))),
    "restarts": _Column("RESTARTS", _of_running(lambda rates: str(rates.now.restarts))),
}
_USUAL = ("name", "state", "port", "busy", "requests", "memory", "uptime", "restarts")


@command("status", examples=_EXAMPLES, exits=(Exit.FAILED,))
@acts_argument
@click.option("--watch", is_flag=True, help="Go on, and show every change.")
@click.option(
    "-o",
    "chosen",
    default=",".join(_USUAL),
    metavar="COLUMNS",
    help=f"Columns, separated by commas: {', '.join(_COLUMNS)}.",
)
def status(session: Session, acts: tuple[str, ...], watch: bool, chosen: str) -> Returned:
    """Show the state of every Act, or of some.

    States are what is seen at this moment, whoever caused them. A failing Act says why. Rates are
    means since the Act is in its state; with --watch, those of the last second. The exit code is 1
    where an Act fails.
    """
    columns = chosen.split(",")
    for column in columns:
        if column not in _COLUMNS:
            raise click.UsageError(f"no column '{column}'; there are: {', '.join(_COLUMNS)}")
    for name in acts:
        session.act(name)
    view = _View(session, acts, columns)
    return Stream(view.changes()) if watch else view.now()


class _View:
    """What is shown of some Acts of a Venue, again and again."""

    def __init__(self, session: Session, names: Sequence[str], columns: Sequence[str]) -> None:
        self._venue = session.venue
        self._screen = session.screen
        self._moves = session.screen.is_terminal and not session.as_json
        self._names = frozenset(names)
        self._columns = columns
        self._before: dict[str, Snapshot] = {}
        self._seen_at = 0.0

    def now(self) -> Result:
        """What is to be seen at this moment."""
        seconds, self._seen_at = time.monotonic() - self._seen_at, time.monotonic()
        seen = [now for now in self._venue.snapshot() if now.name in (self._names or {now.name})]
        rates = [between(self._before.get(now.name), now, seconds, time.time()) for now in seen]
        self._before = {now.name: now for now in seen}
        fails = any(now.state is State.FAILING for now in seen)
        pid = self._venue.emperor.pid
        document = {
            "venue": str(self._venue.path),
            "emperor": pid,
            "acts": [_document(each) for each in rates],
        }
        return Result(
            document,
            lambda screen: screen.show(self._shown(rates, pid)),
            Exit.FAILED if fails else Exit.DONE,
        )

    def changes(self) -> Iterator[Result]:
        """What is to be seen now, with every change, and every second."""
        moving = self._screen.moving() if self._moves else nullcontext()
        with self._venue.events() as events, moving:
            while True:
                yield self.now()
                events.next_within(_BEAT)

    def _shown(self, rates: Sequence[Rates], pid: int | None) -> Group:
        from rich.console import Group
        from rich.text import Text

        running = sum(each.now.state is State.RUNNING for each in rates)
        emperor = f"Emperor pid {pid}" if pid else "no Emperor (start one: backstage venue start)"
        head = Text(f"{self._venue.path}", style="bold")
        head.append(f"   {emperor}   {running} of {wording.count(len(rates), 'Act')} running\n")
        shown: list[RenderableType] = [head] if "name" in self._columns else []
        shown.append(self._table(rates))
        shown += [self._reason(each.now) for each in rates if each.now.reason]
        if not rates:
            shown = [head, Text("No Acts yet; make one: backstage new-act blog")]
        return Group(*shown)

    def _table(self, rates: Sequence[Rates]) -> Table:
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
        for key in self._columns:
            column = _COLUMNS[key]
            indent = "  " if key == "name" else ""
            justify: Literal["left", "right"] = "right" if column.right else "left"
            table.add_column(f"{indent}{column.title}", justify=justify, no_wrap=True)
        for each in rates:
            style = self._screen.style(each.now.state)
            cells = []
            for key in self._columns:
                cell = Text(_COLUMNS[key].cell(each))
                if key == "name":
                    cell = Text(f"{self._screen.sign(each.now.state)} ", style=style) + cell
                elif key == "state":
                    cell.stylize(style)
                cells.append(cell)
            table.add_row(*cells)
        return table

    def _reason(self, now: Snapshot) -> Text:
        from rich.text import Text

        again = ""
        if now.attempts and now.next_try:
            moment = datetime.fromtimestamp(now.next_try).strftime("%H:%M:%S")
            again = f" (tried {wording.count(now.attempts, 'time')}, again at {moment})"
        text = Text(f"\n{now.name}", style=self._screen.style(now.state))
        return text.append(f": {harmless(now.reason)}{again}", style="default not bold")


def _document(rates: Rates) -> dict[str, object]:
    fields = asdict(rates.now)
    return {
        **fields,
        "state": str(rates.now.state),
        "requests_per_second": round(rates.requests, 3),
        "cpu_share": round(rates.cpu, 4),
        "seconds": round(rates.age, 1),
    }
