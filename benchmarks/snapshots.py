"""The cost of looking at every Act of a Venue.

`python -m benchmarks.snapshots VENUE ACT` looks repeatedly, by hand and with Backstage, and
prints a line of seconds each time: by hand, `venue.snapshot()`, `act.state`.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

from backstage.shortcuts import use_venue

from .light import answer, light_acts
from .measuring import Limit, Rounds, Row
from .stage import Stage

_COUNT = 200
_ROUNDS = 30
_WARM_UP = 3
_PAUSE = 0.1
_NAMES = ("by hand", "snapshot", "state")


def measure_snapshots(stage: Stage, pairs: int) -> list[Row]:
    """`venue.snapshot()` against reading each stats socket by hand, in a fixed number of rounds."""
    with light_acts(stage, "snapshots", _COUNT) as acts:
        act = acts[0]
        looked = stage.finish(stage.python("-m", "benchmarks.snapshots", act.venue, act.name))
    lines = [map(float, line.split()) for line in looked.splitlines()[_WARM_UP:]]
    measured = Rounds(dict(zip(_NAMES, line, strict=True)) for line in lines)
    return [
        Row(
            f"`venue.snapshot()` of {_COUNT} Acts, against reading their stats sockets in turn",
            measured["snapshot"],
            measured["by hand"],
            Limit(plus=0.030),
        ),
        Row("… `act.state` of one of them", measured["state"]),
    ]


def main(top: str, name: str) -> None:
    venue = use_venue(top)
    act = venue[name]

    def by_hand() -> list[object]:
        return [answer(path) for path in sorted(Path(top, "run").glob("light*.stats"))]

    for _ in range(_WARM_UP + _ROUNDS):
        print(*map(_seconds, (by_hand, venue.snapshot, lambda: act.state)), flush=True)


def _seconds(look: Callable[[], object]) -> float:
    time.sleep(_PAUSE)
    began = time.monotonic()
    look()
    return time.monotonic() - began


if __name__ == "__main__":
    main(*sys.argv[1:])
