"""The lines of a vassal file that name the release which is live; a deploy rewrites only them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

_BEGIN = "# The live release: `backstage deploy` and `backstage rollback` rewrite the lines up to"
_END = "# the end of the live release."
_BLOCK = re.compile(rf"^{re.escape(_BEGIN)}\n(?P<lines>.*?)^{re.escape(_END)}\n?", re.M | re.S)
_CHDIR = re.compile(r"^chdir = (?P<path>.*)$", re.MULTILINE)


def replaced(text: str, options: Iterable[tuple[str, str]]) -> str:
    """The text of a vassal file with these options of a release, instead of those before."""
    # uWSGI takes a single % for the beginning of a placeholder.
    lines = "".join(f"{key} = {value.replace('%', '%%')}\n" for key, value in options)
    block = f"{_BEGIN}\n{lines}{_END}\n"
    if _BLOCK.search(text):
        return _BLOCK.sub(lambda _: block, text)
    return f"{text.rstrip()}\n\n{block}"


def live(text: str, releases: Path) -> str:
    """The name of the release that a vassal file names; '' if it names none."""
    block = _BLOCK.search(text)
    chdir = _CHDIR.search(block["lines"]) if block else None
    path = Path(chdir["path"].replace("%%", "%")) if chdir else Path()
    return path.relative_to(releases).parts[0] if path.is_relative_to(releases) else ""


def options(text: str) -> str:
    """The lines of the release in a vassal file; '' if there are none."""
    block = _BLOCK.search(text)
    return block["lines"] if block else ""
