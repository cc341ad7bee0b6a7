"""Generated files that operators may edit: a seal in the first line reveals whether they did.

That line is a comment that ends in `sealed` and a digest of everything after it.
"""

from __future__ import annotations

import hashlib
import re

_SEAL = re.compile(r".* sealed (?P<digest>[0-9a-f]{16})\n", re.ASCII)


def sealed(text: str) -> str:
    """The text, preceded by a line that seals it."""
    return f"# Written by `backstage`, sealed {_digest(text)}\n{text}"


def is_edited(text: str) -> bool:
    """Whether a text has changed since it was sealed, or was never sealed."""
    match = _SEAL.match(text)
    return not match or match["digest"] != _digest(text[match.end() :])


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()[:16]
