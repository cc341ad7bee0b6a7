"""Files that operators may edit after us: a seal in their first line tells whether somebody did.

The line is a comment that ends in `sealed` and a digest of all that follows it.
"""

from __future__ import annotations

import hashlib
import re

_SEAL = re.compile(r".* sealed (?P<digest>[0-9a-f]{16})\n", re.ASCII)


def sealed(text: str) -> str:
    """The text under a first line that seals it."""
    return f"# Written by `backstage`, sealed {_digest(text)}\n{text}"


def is_edited(text: str) -> bool:
    """Whether a text is not as it was sealed, or never was."""
    match = _SEAL.match(text)
    return not match or match["digest"] != _digest(text[match.end() :])


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()[:16]
