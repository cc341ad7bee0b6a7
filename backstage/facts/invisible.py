"""Characters that nobody sees, or that change how the others look."""

from __future__ import annotations

import re

# Control characters but for tab and newline, of ASCII and of Latin-1; what hides or joins others,
# turns the direction of text, or ends a line; tags; halves of characters.
INVISIBLE = (
    r"\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    r"\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb"
    r"\U0001d173-\U0001d17a\U000e0000-\U000e0fff\ud800-\udfff"
)
_ONE = re.compile(f"[{INVISIBLE}]")


def visible(text: str) -> str:
    r"""The text with each of them written out, as `\x1b` or `\u202e`."""
    return _ONE.sub(_written, text)


def _written(found: re.Match[str]) -> str:
    number = ord(found[0])
    if number < 0x100:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"
