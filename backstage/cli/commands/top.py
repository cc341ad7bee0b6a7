"""`backstage top`: what the Acts do, live, with keys to restart, stop and read logs."""

from __future__ import annotations

import sys
import time

from ..options import command
from ..results import Result
from ..session import Session
from ..terminal.board import Board
from ..terminal.columns import document
from ..terminal.meter import Meter
from ..terminal.screen import Screen
from ..terminal.viewer import Viewer

_EXAMPLES = """
backstage top
backstage top | cat              # once, over a second
backstage top --json | jq '.result.acts[] | {name, cpu_share}'
"""
_SPAN = 1.0


@command("top", examples=_EXAMPLES)
def top(session: Session) -> Result:
    """Watch what the Acts do, live.

    Requests and CPU, the share of one core, are those of the last second. LATENCY is how long
    answers take lately, as uWSGI counts it. States change as they are seen to.

    Up and down, or j and k, select an Act: R restarts it, S stops or starts it, Enter shows its
    log. The letter that is underlined in a column's title sorts by it, and typed again the other
    way round; < and > sort by the column beside. q ends.

    Not in a terminal, and with --json, it measures for a second, prints what it has seen and ends.
    """
    if session.screen.is_terminal and sys.stdin.isatty() and not session.as_json:
        Viewer(session).run()
        going = ", ".join(sorted(session.under_way))
        return Result(
            {}, lambda screen: screen.hint(f"Still going on: {going}.") if going else None
        )
    return _once(session)


def _once(session: Session) -> Result:
    meter = Meter(session.venue)
    meter.look()
    time.sleep(_SPAN)
    reading = meter.look()
    found = {
        "venue": str(session.venue.path),
        "emperor": reading.emperor,
        "requests_per_second": round(reading.requests, 3),
        "cpu_share": round(reading.cpu, 4),
        "memory": reading.memory,
        "load": [round(each, 2) for each in reading.load],
        "acts": [document(each) for each in reading.acts],
    }

    def show(screen: Screen) -> None:
        board = Board(screen, str(session.venue.path), reading)
        screen.lines(board.all_lines(screen.width))

    return Result(found, show)
