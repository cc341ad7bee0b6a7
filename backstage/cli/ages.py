"""Moments that a user types: an age such as `10m`, or a date."""

from __future__ import annotations

import re
import time
from datetime import datetime, timedelta

import click

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_DAYS = {"today": 0, "yesterday": 1}
_CLOCK = re.compile(r"\d{1,2}:\d\d")
_AGO = re.compile(r"(\d+[smhd])+")


def moment(_: click.Context, __: click.Parameter, text: str | None) -> float | None:
    """A time in seconds since the epoch, from an age such as 10m or from ISO 8601."""
    if text is None:
        return None
    try:
        if _AGO.fullmatch(text):
            parts = re.findall(r"(\d+)([smhd])", text)
            return time.time() - sum(_seconds(int(number), unit) for number, unit in parts)
        return _named(text).timestamp()
    except OverflowError:
        raise click.BadParameter(f"'{text}' is too long ago to be a date") from None
    except ValueError:
        raise click.BadParameter(
            f"'{text}' is not a time; type an age such as 30s, 10m, 2h or 1d, a time of today such "
            "as 20:00, yesterday, or a date such as 2026-05-01 or '2026-05-01 21:45'"
        ) from None


def _named(text: str) -> datetime:
    """A day, a time of today, or both in ISO 8601. Raises ValueError."""
    today = datetime.now().replace(hour=0, minute=0, second=0, microsecond=0)
    if text.lower() in _DAYS:
        return today - timedelta(days=_DAYS[text.lower()])
    if _CLOCK.fullmatch(text):
        return datetime.combine(today, datetime.strptime(text, "%H:%M").time())
    return datetime.fromisoformat(text)


def _seconds(number: int, unit: str) -> float:
    return timedelta(**{_UNITS[unit]: number}).total_seconds()
