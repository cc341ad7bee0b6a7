"""Keeping secrets out of what people are shown."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from .dotenv import MASK, DotEnv

# Of a secret, so many signs in a row are shown nowhere; fewer occur by chance.
_TELLING = 4


def secrets_in(environment: DotEnv) -> frozenset[str]:
    """What is secret in a .env: whole values, and the passwords within URLs."""
    masked = environment.masked
    pairs = ((value, masked[key]) for key, value in environment.values.items())
    # Where a secret lies is none.
    return frozenset(each for pair in pairs for each in _hidden(*pair) if not each.startswith("/"))


def veiled(text: str, secrets: Collection[str]) -> str:
    """A text without secrets, also where only a part of one stands in it."""
    hidden: set[int] = set()
    for start in range(len(text) - _TELLING + 1):
        piece = text[start : start + _TELLING]
        if any(piece in secret for secret in secrets):
            hidden.update(range(start, start + _TELLING))
    return "".join("*" if place in hidden else sign for place, sign in enumerate(text))


def _hidden(value: str, masked: str) -> Iterator[str]:
    """The parts of a value that are not in its masked form."""
    kept = masked.split(MASK)
    if len(kept) > 1 and (found := re.fullmatch("(.*)".join(map(re.escape, kept)), value)):
        yield from found.groups()
