"""Moments that a user types: an age such as `10m`, or a date."""

from __future__ import annotations

import re
import time
from datetime import datetime, timedelta

import click

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_AGO = re.compile(r"(\d+[smhd])+")


def moment(_: click.Context, __: click.Parameter, text: str | None) -> float | None:
    """A time in seconds since the epoch, from an age such as 10m or from ISO 8601."""
    if text is None:
        return None
    try:
        if _AGO.fullmatch(text):
            parts = re.findall(r"(\d+)([smhd])", text)
            return time.time() - sum(_seconds(int(number), unit) for number, unit in parts)
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError):
        raise click.BadParameter(
            f"'{text}' is not a time; type an age such as 30s, 10m, 2h or 1d, "
            "or a date such as 2026-05-01 or '2026-05-01 21:45'"
        ) from None


def _seconds(number: int, unit: str) -> float:
    return timedelta(**{_UNITS[unit]: number}).total_seconds()
