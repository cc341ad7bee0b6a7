"""Keeping secrets out of messages."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from .dotenv import MASK, DotEnv

# This many consecutive characters of a secret are masked anywhere; as a word of its own, fewer.
_TELLING, _WORD = 6, 4
# A shorter secret is masked only as a whole: its pieces may be part of any word.
_LONG = 8
# Every key that `django-admin startproject` makes begins with this.
_PUBLIC_PREFIX = "django-insecure-"
_SWITCHES = frozenset({"true", "false", "none", "null"})
_BELOW = r"(?![\w.-])(?:/[^\s'\":,;()<>]*)?"


def secrets_in(environment: DotEnv, known: Collection[str] = ()) -> frozenset[str]:
    """The secrets in a .env that are no ordinary words: whole values, and passwords within URLs.

    A word in `known`, such as an Act's name, is no secret: everybody has seen it.
    """
    return frozenset(each for each in all_secrets_in(environment) if _is_secret(each)) - {*known}


def all_secrets_in(environment: DotEnv) -> frozenset[str]:
    """Every value that is secret by its name, be it a number or a path, and passwords in URLs."""
    masked = environment.masked
    pairs = ((value, masked[key]) for key, value in environment.values.items())
    found = (each.removeprefix(_PUBLIC_PREFIX) for pair in pairs for each in _hidden(*pair))
    return frozenset(each for each in found if each)


def veiled(text: str, secrets: Collection[str], places: Collection[str] = ()) -> str:
    """A text with all secrets masked, even partial ones.

    Paths are left as they are if they are, or are below, one of `places`.
    """
    hidden = {at for secret in secrets for span in _spans(text, secret) for at in range(*span)}
    paths = (re.finditer(re.escape(place) + _BELOW, text) for place in places)
    hidden -= {at for path in paths for match in path for at in range(*match.span())}
    return "".join("*" if place in hidden else sign for place, sign in enumerate(text))


def _is_secret(value: str) -> bool:
    """Whether a value is long enough for that, and neither a path, a number nor a switch."""
    is_setting = value.lower() in _SWITCHES or (value.isdigit() and len(value) < _LONG)
    return len(value) >= _WORD and not is_setting and not value.startswith("/")


def _spans(text: str, secret: str) -> Iterator[tuple[int, int]]:
    """Where a text has the secret or a piece of it."""
    for start, end in _pieces(text, secret):
        is_word = not re.match(r"\w", text[start - 1 : start]) and not re.match(r"\w", text[end:])
        if (is_word or end - start >= _TELLING) and (len(secret) >= _LONG or is_word):
            yield start, end


def _pieces(text: str, secret: str) -> Iterator[tuple[int, int]]:
    """The longest stretches of a text that consist of parts of the secret."""
    length = _WORD if len(secret) >= _LONG else len(secret)
    begin = end = -1
    for start in range(len(text) - length + 1):
        if text[start : start + length] not in secret:
            continue
        if start > end and begin >= 0:
            yield begin, end
        begin, end = (start if start > end else begin), start + length
    if begin >= 0:
        yield begin, end


def _hidden(value: str, masked: str) -> Iterator[str]:
    """The parts of a value that are not in its masked form."""
    kept = masked.split(MASK)
    if len(kept) > 1 and (found := re.fullmatch("(.*)".join(map(re.escape, kept)), value)):
        yield from found.groups()
