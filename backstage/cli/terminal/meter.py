"""Rates of a Venue's Acts over about a second, however often they are read."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...facts.rates import Rates, between
from ...facts.snapshots import Snapshot
from ...facts.states import State

if TYPE_CHECKING:
    from ...venue import Venue

# Rates cover at least this many seconds, once the meter has run that long.
_SPAN = 0.9


@dataclass(frozen=True)
class Reading:
    """One look at a Venue, with the rates since earlier looks.

    `emperor` is its pid, or None if it is not running; `load` has the machine's load averages.
    """

    acts: tuple[Rates, ...]
    emperor: int | None
    load: tuple[float, float, float]

    def count(self, state: State) -> int:
        """How many Acts are in a state."""
        return sum(each.now.state is state for each in self.acts)

    @property
    def requests(self) -> float:
        return sum(each.requests for each in self.acts)

    @property
    def cpu(self) -> float:
        return sum(each.cpu for each in self.acts)

    @property
    def memory(self) -> int:
        return sum(each.now.memory for each in self.acts)


class Meter:
    """Looks at the Acts of a Venue repeatedly.

    The first look gives averages since each Act entered its state; later looks give rates over
    about the last second, even if the previous look was a moment ago.
    """

    def __init__(self, venue: Venue, clock: Callable[[], float] = time.monotonic) -> None:
        self._venue = venue
        self._clock = clock
        self._looks: deque[tuple[float, Mapping[str, Snapshot]]] = deque()

    def look(self) -> Reading:
        """Read the Acts now."""
        at = self._clock()
        seen = {now.name: now for now in self._venue.snapshot()}
        began, before = self._looks_until(at)
        self._looks.append((at, seen))
        moment = time.time()
        return Reading(
            acts=tuple(between(before.get(name), seen[name], at - began, moment) for name in seen),
            emperor=self._venue.emperor_pid,
            load=os.getloadavg(),
        )

    def _looks_until(self, at: float) -> tuple[float, Mapping[str, Snapshot]]:
        """The look to compare with: the latest one old enough, or else the first."""
        while len(self._looks) > 1 and self._looks[1][0] <= at - _SPAN:
            self._looks.popleft()
        return self._looks[0] if self._looks else (at, {})
