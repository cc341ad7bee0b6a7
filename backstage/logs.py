"""Reading the ends of log files."""

from __future__ import annotations

from pathlib import Path

_ENOUGH = 64 * 1024


def size(path: Path) -> int:
    """The length of a log in bytes, 0 where there is none."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def tail(path: Path, lines: int, *, since: int = 0) -> str:
    """The last `lines` lines, none of them from before the byte `since`.

    A log that was rotated meanwhile is read from its new beginning.
    """
    try:
        with path.open("rb") as file:
            end = file.seek(0, 2)
            begin = since if since <= end else 0
            file.seek(max(begin, end - _ENOUGH))
            text = file.read().decode(errors="replace")
    except FileNotFoundError:
        return ""
    return "\n".join(text.splitlines()[-lines:])
