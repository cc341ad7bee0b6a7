"""Wait for a condition, but not forever."""

from __future__ import annotations

import time
from collections.abc import Callable

# In seconds, about 30 years: the kernel counts nanoseconds.
_LONGEST = 1e9


def finite(seconds: float) -> float:
    """How long to wait, as a caller has said it. Raises ValueError if that is no time to wait."""
    # Nothing is more or less than `nan`.
    if not 0 <= seconds <= _LONGEST:
        raise ValueError(
            f"{seconds} is no number of seconds to wait: it must be from 0 to {_LONGEST:.0f}"
        )
    return seconds


class Deadline:
    """A moment `seconds` from now, on a monotonic clock."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._end = clock() + seconds

    @property
    def remaining(self) -> float:
        """Seconds left, never below zero."""
        return max(0.0, self._end - self._clock())

    @property
    def expired(self) -> bool:
        return self._clock() >= self._end


def until(condition: Callable[[], bool], deadline: Deadline, pause: float = 0.005) -> bool:
    """Check `condition` every `pause` seconds until it holds; False if time runs out first."""
    while not condition():
        if deadline.expired:
            return False
        time.sleep(pause)
    return True
