"""How a file differs from another one, line by line."""

from __future__ import annotations

from difflib import unified_diff


def difference(before: str, after: str) -> tuple[str, ...]:
    """The lines of `after` that are new, and those of `before` that it lacks."""
    lines = unified_diff(before.splitlines(), after.splitlines(), n=0, lineterm="")
    return tuple(line for line in lines if not line.startswith(("---", "+++", "@@")))
