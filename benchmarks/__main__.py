"""Measure, and print the table: `python -m benchmarks [--pairs 7] [NAME…]`."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable, Sequence

from .acts import measure_new_acts, measure_verbs
from .commands import measure_commands
from .environments import measure_pages, measure_venues
from .flow import measure_flow
from .front import measure_front
from .idling import measure_idling
from .imports import measure_imports
from .latencies import measure_latencies
from .logs import measure_logs
from .measuring import Line, table
from .releases import measure_release_environments
from .snapshots import measure_snapshots
from .stage import Stage, stage
from .waits import measure_waits

BENCHMARKS: dict[str, Callable[[Stage, int], Sequence[Line]]] = {
    "new_venue": measure_venues,
    "first_page": measure_pages,
    "new_act": measure_new_acts,
    "verbs": measure_verbs,
    "waits": measure_waits,
    "import": measure_imports,
    "events": measure_latencies,
    "watching": measure_idling,
    "snapshot": measure_snapshots,
    "flow": measure_flow,
    "commands": measure_commands,
    "front": measure_front,
    "logs": measure_logs,
    "release_environment": measure_release_environments,
}


def main() -> None:
    arguments = _arguments()
    # Clean up after SIGTERM too.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    rows: list[Line] = []
    try:
        with stage() as place:
            for name in arguments.names or BENCHMARKS:
                rows += BENCHMARKS[name](place, arguments.pairs)
    finally:
        print(table(rows))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--pairs", type=int, default=7, help="pairs to measure, 7 by default")
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"what to measure: {', '.join(BENCHMARKS)}"
    )
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - BENCHMARKS.keys():
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}")
    if arguments.pairs < 1:
        parser.error("--pairs must be 1 or more")
    return arguments


if __name__ == "__main__":
    main()
