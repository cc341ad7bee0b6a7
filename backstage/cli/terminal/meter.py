"""What the Acts of a Venue do in a second, however often one looks."""

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

# Rates are over at least so many seconds, as soon as one has looked for so long.
_SPAN = 0.9


@dataclass(frozen=True)
class Reading:
    """What was seen of a Venue in one look, with what has changed since the looks before.

    `emperor` is its pid, None while there is none; `load` the load averages of this machine.
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
    """Looks at the Acts of a Venue again and again.

    The rates of the first look are means since each Act is in its state; those of a later one are
    of about the last second, also where the look before was a moment ago.
    """

    def __init__(self, venue: Venue, clock: Callable[[], float] = time.monotonic) -> None:
        self._venue = venue
        self._clock = clock
        self._looks: deque[tuple[float, Mapping[str, Snapshot]]] = deque()

    def look(self) -> Reading:
        """What is to be seen now."""
        at = self._clock()
        seen = {now.name: now for now in self._venue.snapshot()}
        began, before = self._looks_until(at)
        self._looks.append((at, seen))
        moment = time.time()
        return Reading(
            acts=tuple(between(before.get(name), seen[name], at - began, moment) for name in seen),
            emperor=self._venue.emperor.pid,
            load=os.getloadavg(),
        )

    def _looks_until(self, at: float) -> tuple[float, Mapping[str, Snapshot]]:
        """The look to compare with: the last one that is old enough, or else the first."""
        while len(self._looks) > 1 and self._looks[1][0] <= at - _SPAN:
            self._looks.popleft()
        return self._looks[0] if self._looks else (at, {})
