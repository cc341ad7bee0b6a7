"""When to look at what again."""

from __future__ import annotations

import math

# What passes is looked at again after so many seconds, then after twice as many, and so on, …
_SOON = 0.005
# … but every so many seconds at least.
_LATER = 0.1


class Timers:
    """One next moment for each name, in seconds of whatever clock the caller reads."""

    def __init__(self) -> None:
        self._due: dict[str, float] = {}
        self._pauses: dict[str, float] = {}

    def put(self, name: str, moment: float) -> None:
        """Have a name come up at a moment, and not earlier."""
        self._due[name] = moment

    def repeat(self, name: str, now: float) -> None:
        """Have a name come up soon, and with every further call a little later."""
        pause = self._pauses.get(name, _SOON)
        self._pauses[name] = min(2 * pause, _LATER)
        self._due[name] = now + pause

    def drop(self, name: str) -> None:
        """Nothing is to be seen of this name any more."""
        self._due.pop(name, None)
        self._pauses.pop(name, None)

    def take(self, now: float) -> set[str]:
        """The names that have come up."""
        names = {name for name, moment in self._due.items() if moment <= now}
        for name in names:
            del self._due[name]
        return names

    def pause(self, now: float) -> float:
        """Seconds until the next name comes up; infinite where there is none."""
        return max(0.0, min(self._due.values(), default=math.inf) - now)
