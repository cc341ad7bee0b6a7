"""`backstage top`: the Acts live, with keys to restart them, stop them and read their logs."""

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
backstage top | cat              # measure for a second, once
backstage top --json | jq '.result.acts[] | {name, cpu_share}'
"""
_SPAN = 1.0


@command("top", examples=_EXAMPLES, for_members=True)
def top(session: Session) -> Result:
    """Watch the Acts live.

    Requests and CPU (the share of one core) are those of the last second. LATENCY is uWSGI's recent
    average response time. States are updated at once.

    The arrow keys, or j and k, select an Act: R restarts it, S stops or starts it, Enter shows its
    log. The underlined letter in a column's title sorts by that column; press it again to reverse
    the order. < and > sort by the column to the left or right. q quits.

    Without a terminal, or with --json, it measures for a second, prints the result and exits.
    """
    if session.screen.is_terminal and sys.stdin.isatty() and not session.as_json:
        Viewer(session).run()
        going = ", ".join(sorted(session.under_way))
        return Result(
            {}, lambda screen: screen.hint(f"Still in progress: {going}.") if going else None
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
