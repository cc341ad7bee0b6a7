"""The moments at which a process that only watches a Venue receives the events.

`python -m benchmarks.audience VENUE` prints a line once it is watching, then one for each event:
the moment on the monotonic clock, which all processes share, the Act, and the states before and
after.
"""

from __future__ import annotations

import os
import select
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from backstage.shortcuts import use_venue

from .stage import Stage

_PATIENCE = 30.0


@dataclass(frozen=True)
class Heard:
    """An event, and the moment when the watching process received it."""

    moment: float
    act: str
    before: str
    after: str


class Audience:
    """Starts a process that watches a Venue, and reads its events."""

    def __init__(self, stage: Stage, venue: Path) -> None:
        self.process = stage.python("-m", "benchmarks.audience", venue)
        # Events that arrived while waiting for another one.
        self.detours: list[Heard] = []
        self._lines: list[str] = []
        self._rest = ""
        if self._next_line(_PATIENCE) != "watching":
            raise RuntimeError(f"the process that should watch {venue} did not start")

    def forget(self) -> None:
        """Discard the events received so far."""
        while self._next_line(0) is not None:
            pass

    def hear(self, act: str, after: str, patience: float = _PATIENCE) -> float:
        """The moment of the event that leads `act` to the state `after`. Raises RuntimeError."""
        end = time.monotonic() + patience
        while heard := self.next(end - time.monotonic()):
            if (heard.act, heard.after) == (act, after):
                return heard.moment
            self.detours.append(heard)
        last = ", ".join(f"{heard.act} {heard.after}" for heard in self.detours[-5:])
        raise RuntimeError(f"{act} is not {after} in {patience:g} s; other events: {last}")

    def next(self, patience: float) -> Heard | None:
        """The next event; None if none arrives in time."""
        line = self._next_line(patience)
        if line is None:
            return None
        moment, act, before, after = line.split()
        return Heard(float(moment), act, before, after)

    def _next_line(self, patience: float) -> str | None:
        assert self.process.stdout is not None
        end = time.monotonic() + patience
        while not self._lines:
            left = max(0.0, end - time.monotonic())
            if not select.select([self.process.stdout], [], [], left)[0]:
                return None
            said = os.read(self.process.stdout.fileno(), 65536).decode()
            if not said:
                raise RuntimeError("the process that watched has ended")
            *self._lines, self._rest = (self._rest + said).split("\n")
        return self._lines.pop(0)


def main(venue: str) -> None:
    with use_venue(venue).events() as events:
        print("watching", flush=True)
        for event in events:
            print(time.monotonic(), event.act, event.before, event.after, flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
