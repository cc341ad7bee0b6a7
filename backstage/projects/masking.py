"""Keeping secrets out of messages."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from .dotenv import MASK, DotEnv

# This many consecutive characters of a secret are masked; fewer may match by chance.
_TELLING = 4


def secrets_in(environment: DotEnv) -> frozenset[str]:
    """The secrets in a .env: whole values, and the passwords within URLs."""
    masked = environment.masked
    pairs = ((value, masked[key]) for key, value in environment.values.items())
    # The path of a secret is not itself secret.
    return frozenset(each for pair in pairs for each in _hidden(*pair) if not each.startswith("/"))


def veiled(text: str, secrets: Collection[str]) -> str:
    """A text with all secrets masked, even partial ones."""
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
