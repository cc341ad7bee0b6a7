"""One call of the library in a separate Python, with the moments of its start and return.

`python -m benchmarks.calls VENUE NAME new_act PORT` or `… VENUE NAME VERB` prints both moments,
on the monotonic clock that all processes share; `unchecked` is a restart without a trial.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from backstage.shortcuts import new_act, use_venue

from .stage import Process, Stage


@dataclass(frozen=True)
class Call:
    """The start and the return of a call, in seconds on the monotonic clock."""

    called: float
    returned: float

    @property
    def seconds(self) -> float:
        return self.returned - self.called


def start_call(stage: Stage, venue: Path, name: str, *words: str) -> Process:
    """Start one call in a fresh Python; `finished_call` returns its moments."""
    return stage.python("-m", "benchmarks.calls", venue, name, *words)


def finished_call(stage: Stage, process: Process) -> Call:
    """Wait for a call to return. Raises RuntimeError if it failed."""
    called, returned = stage.finish(process).split()
    return Call(float(called), float(returned))


def _prepared(top: str, name: str, verb: str, *port: str) -> Callable[[], object]:
    """The call, with everything that it needs already loaded and opened."""
    venue = use_venue(top)
    if verb == "new_act":
        return lambda: new_act(venue, name, port=int(port[0]))
    verbs: dict[str, Callable[[], None]] = {
        "start": (act := venue[name]).start,
        "stop": act.stop,
        "restart": act.restart,
        "unchecked": partial(act.restart, check=False),
    }
    return verbs[verb]


def main() -> None:
    call = _prepared(*sys.argv[1:])
    called = time.monotonic()
    call()
    print(called, time.monotonic())


if __name__ == "__main__":
    main()
