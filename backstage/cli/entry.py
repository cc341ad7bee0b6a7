"""Where the `backstage` command comes in, and says so where another program is in its way."""

from __future__ import annotations

import sys
from importlib import import_module

from ..virtualenvs import namesake
from .exits import Exit


def main() -> None:
    """Run the command and end with its exit code."""
    try:
        import_module(f"{__package__}.program").main()
    except (ImportError, SyntaxError):
        if complaint := namesake.complaint():
            print(f"✗ {complaint}", file=sys.stderr)
            sys.exit(Exit.SYSTEM)
        raise
