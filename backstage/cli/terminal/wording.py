"""Numbers formatted for narrow columns."""

from __future__ import annotations

_UNITS = ("B", "kB", "MB", "GB", "TB")
_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def size(amount: float) -> str:
    """Bytes, in powers of a thousand: `48.2 MB`."""
    unit = 0
    while amount >= 1000 and unit < len(_UNITS) - 1:
        amount, unit = amount / 1000, unit + 1
    return f"{amount:.0f} B" if unit == 0 else f"{amount:.1f} {_UNITS[unit]}"


def duration(seconds: float) -> str:
    """The two largest units: `3d 4h`, `2h 3m`, `5m 12s`, `7s`."""
    whole = max(0, int(seconds))
    if whole >= _DAY:
        return f"{whole // _DAY}d {whole % _DAY // _HOUR}h"
    if whole >= _HOUR:
        return f"{whole // _HOUR}h {whole % _HOUR // _MINUTE}m"
    if whole >= _MINUTE:
        return f"{whole // _MINUTE}m {whole % _MINUTE}s"
    return f"{whole}s"


def rate(per_second: float) -> str:
    """A rate per second: `0`, `0.02`, `3.4`, `120`."""
    if per_second <= 0:
        return "0"
    if per_second < 1:
        return f"{per_second:.2f}"
    return f"{per_second:.1f}" if per_second < 100 else f"{per_second:.0f}"


def count(number: int, noun: str) -> str:
    """`1 Act`, `2 Acts`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def latency(seconds: float) -> str:
    """A response time: `0.4 ms`, `12 ms`, `1.2 s`."""
    if seconds >= 1:
        return f"{seconds:.1f} s"
    return f"{seconds * 1000:.1f} ms" if seconds < 0.01 else f"{seconds * 1000:.0f} ms"
