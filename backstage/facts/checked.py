"""Values out of a file that anybody may have written: as what they should be, or ValueError."""

from __future__ import annotations

import math

# Later than this, in seconds since the epoch, is no time that can be shown.
_LAST_SECOND = 1e11
_HIGHEST = 2**63


def text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("no text")
    return value


def number(value: object, *, lowest: int = 0) -> int:
    # True is an int too.
    if type(value) is not int or not lowest <= value < _HIGHEST:
        raise ValueError("no number")
    return value


def seconds(value: object) -> float:
    """A duration, or a time since the epoch or since the system booted."""
    if type(value) not in {int, float}:
        raise ValueError("no time")
    moment = float(str(value))
    if not math.isfinite(moment) or not 0 <= moment < _LAST_SECOND:
        raise ValueError("no time")
    return moment
