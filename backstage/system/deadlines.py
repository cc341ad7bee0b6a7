"""Waiting for something to become true, with an end to it."""

from __future__ import annotations

import time
from collections.abc import Callable


class Deadline:
    """A moment `seconds` from now, on a clock that nobody sets back."""

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
    """Ask again every `pause` seconds until `condition` holds; False if time ran out first."""
    while not condition():
        if deadline.expired:
            return False
        time.sleep(pause)
    return True
