"""One line of text from what an Act said, which may be anything."""

from __future__ import annotations

import re

from ..facts.invisible import INVISIBLE

_UNSEEN = re.compile(rf"[{INVISIBLE}\t\n\ufffd]+")
_LONGEST = 300


def one_line(text: str) -> str:
    """The text as one short line without control characters."""
    line = _UNSEEN.sub(" ", text).strip()
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"
