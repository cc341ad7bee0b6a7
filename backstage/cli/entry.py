"""The entry point of `backstage`, which reports another installed program of the same name."""

from __future__ import annotations

import sys
from importlib import import_module

from ..virtualenvs import namesake
from .exits import Exit


def main() -> None:
    """Run the command and exit with its code."""
    try:
        import_module(f"{__package__}.program").main()
    except (ImportError, SyntaxError):
        if complaint := namesake.complaint():
            print(f"✗ {complaint}", file=sys.stderr)
            sys.exit(Exit.SYSTEM)
        raise
