"""What follows the reason of a failed Act: where to read more, or the end of its log."""

from __future__ import annotations

from ...errors import ActFailed, CheckFailed
from ...facts.command_line import quote

# How many lines are shown of the log if the reason is unknown.
_LAST = 6


def further(error: ActFailed) -> list[str]:
    """The lines that help with this error."""
    if isinstance(error, CheckFailed):
        return [f"without this check: backstage restart {error.name} --no-check"]
    shown = [] if error.reason else error.log_tail.splitlines()[-_LAST:]
    if not error.log_tail and not error.reason:
        return []
    return [*shown, f"more: {_reading(error)}"]


def _reading(error: ActFailed) -> str:
    return f"less {quote(str(error.log))}" if error.log else f"backstage logs {error.name}"
