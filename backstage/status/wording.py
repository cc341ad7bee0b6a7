"""One line of text from what an Act said, which may be anything."""

from __future__ import annotations

import re

# Control characters, and those that change the direction of text.
_UNSEEN = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ufffd]+"
)
_LONGEST = 300


def one_line(text: str) -> str:
    """The text as one short line without control characters."""
    line = _UNSEEN.sub(" ", text).strip()
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"
