"""The cost of watching a Venue in which nothing happens.

`python -m benchmarks.idling VENUE SECONDS` watches for that long, and prints its seconds of CPU
time and its number of wake-ups.
"""

from __future__ import annotations

import resource
import sys
import time
from pathlib import Path

import psutil

from backstage.facts.watching import Watching
from backstage.shortcuts import use_venue
from backstage.system.deadlines import Deadline, until

from .light import light_acts
from .measuring import Finding
from .stage import Stage

_COUNT = 100
_SECONDS = 30.0
_CALM = 5.0
_MOST = 0.005
# In bytes of PSS.
_MOST_MEMORY = 30e6
_PATIENCE = 60.0


def measure_idling(stage: Stage, pairs: int) -> list[Finding]:
    """CPU time and wake-ups of a process that watches a hundred Acts; always one round."""
    with light_acts(stage, "idling", _COUNT) as acts:
        watcher = _measure_watcher(acts[0].venue)
        words = ("-m", "benchmarks.idling", acts[0].venue, str(_SECONDS))
        busy, wakes, events = map(float, stage.finish(stage.python(*words)).split())
    if events:
        raise RuntimeError(f"{events:.0f} events where nothing was to happen")
    share = busy / _SECONDS
    return [
        _of_core(f"watching {_COUNT} idle Acts, of one core", share),
        Finding("… its wake-ups", f"{wakes / _SECONDS:.1f} /s"),
        *watcher,
    ]


def _measure_watcher(venue: Path) -> list[Finding]:
    """The Venue's own watcher, alone, and the script that runs it."""
    house = use_venue(venue)
    if not until(lambda: house.watcher.state is Watching.RUNNING, Deadline(_PATIENCE)):
        raise RuntimeError(f"the watcher of {venue} is {house.watcher}")
    watcher = psutil.Process(house.watcher.pid)
    time.sleep(_CALM)
    before = sum(watcher.cpu_times()[:2])
    time.sleep(_SECONDS)
    share = (sum(watcher.cpu_times()[:2]) - before) / _SECONDS
    script = watcher.parent()
    memory = sum(each.memory_full_info().pss for each in (watcher, script) if each)
    return [
        _of_core("the watcher of these Acts, of one core", share),
        Finding(
            "… its memory (PSS)",
            f"{memory / 1e6:.1f} MB",
            f"< {_MOST_MEMORY / 1e6:.0f} MB",
            memory < _MOST_MEMORY,
        ),
    ]


def _of_core(what: str, share: float) -> Finding:
    return Finding(what, f"{share:.2%}", f"< {_MOST:.1%}", share < _MOST)


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
