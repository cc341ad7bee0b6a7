"""Plain text as docstrings have it, taken apart into paragraphs and what is to stay as it is."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Block:
    """A paragraph on one line; or, where `literal`, lines as they are."""

    text: str
    literal: bool


def blocks(text: str) -> Iterator[Block]:
    """The blocks of a text: those that are indented, or marked for click by `\\b`, are literal."""
    for block in re.split(r"\n\s*\n", text.strip("\n")):
        marked = block.startswith("\b\n")
        if marked or block.startswith("    "):
            yield Block(textwrap.dedent(block.removeprefix("\b\n")), literal=True)
        else:
            yield Block(" ".join(block.split()), literal=False)
