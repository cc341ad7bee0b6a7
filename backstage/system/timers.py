"""Timers by name: when to check each name next."""

from __future__ import annotations

import math

# A passing state is checked again after this many seconds, then after twice as many, and so on …
_SOON = 0.005
# … up to this interval.
_LATER = 0.1


class Timers:
    """The next due time of each name, in seconds on the caller's clock."""

    def __init__(self) -> None:
        self._due: dict[str, float] = {}
        self._pauses: dict[str, float] = {}

    def put(self, name: str, moment: float) -> None:
        """Set the due time of a name."""
        self._due[name] = moment

    def repeat(self, name: str, now: float) -> None:
        """Make a name due soon; each further call doubles the pause, up to 0.1 s."""
        pause = self._pauses.get(name, _SOON)
        self._pauses[name] = min(2 * pause, _LATER)
        self._due[name] = now + pause

    def drop(self, name: str) -> None:
        """Forget a name and its pause."""
        self._due.pop(name, None)
        self._pauses.pop(name, None)

    def take(self, now: float) -> set[str]:
        """Remove and return the names that are due."""
        names = {name for name, moment in self._due.items() if moment <= now}
        for name in names:
            del self._due[name]
        return names

    def pause(self, now: float) -> float:
        """Seconds until the next name is due; infinite if there is none."""
        return max(0.0, min(self._due.values(), default=math.inf) - now)
