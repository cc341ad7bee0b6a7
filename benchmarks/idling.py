"""The cost of watching a Venue in which nothing happens.

`python -m benchmarks.idling VENUE SECONDS` watches for that long, and prints its seconds of CPU
time and its number of wake-ups.
"""

from __future__ import annotations

import resource
import sys
import time

from backstage.shortcuts import use_venue

from .light import light_acts
from .measuring import Finding
from .stage import Stage

_COUNT = 100
_SECONDS = 30.0
_CALM = 5.0
_MOST = 0.005


def measure_idling(stage: Stage, pairs: int) -> list[Finding]:
    """CPU time and wake-ups of a process that watches a hundred Acts; always one round."""
    with light_acts(stage, "idling", _COUNT) as acts:
        words = ("-m", "benchmarks.idling", acts[0].venue, str(_SECONDS))
        busy, wakes, events = map(float, stage.finish(stage.python(*words)).split())
    if events:
        raise RuntimeError(f"{events:.0f} events where nothing was to happen")
    share = busy / _SECONDS
    return [
        Finding(
            f"watching {_COUNT} idle Acts, of one core",
            f"{share:.2%}",
            f"< {_MOST:.1%}",
            share < _MOST,
        ),
        Finding("… its wake-ups", f"{wakes / _SECONDS:.1f} /s"),
    ]


def main(venue: str, seconds: str) -> None:
    with use_venue(venue).events() as events:
        time.sleep(_CALM)
        before = resource.getrusage(resource.RUSAGE_SELF)
        end, heard = time.monotonic() + float(seconds), 0
        while events.next_within(max(0.0, end - time.monotonic())):
            heard += 1
        after = resource.getrusage(resource.RUSAGE_SELF)
    busy = (after.ru_utime - before.ru_utime) + (after.ru_stime - before.ru_stime)
    print(busy, after.ru_nvcsw - before.ru_nvcsw, heard)


if __name__ == "__main__":
    main(*sys.argv[1:])
