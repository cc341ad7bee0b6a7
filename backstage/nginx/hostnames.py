"""Host names as nginx, certificates and Django compare them: ASCII, in lower case."""

from __future__ import annotations

import re
from collections.abc import Iterable

import idna

from ..errors import SiteRefused

_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
_LONGEST_LABEL, _LONGEST = 63, 253
_WWW = "www."


def plain(name: str) -> str:
    """The normalised name. Raises SiteRefused if it is not a host name, or more than one."""
    if "://" in name or "/" in name:
        bare = name.partition("://")[2] or name
        raise _refused(name, f"give only the name, as {bare.partition('/')[0]!r}")
    if name.startswith((".", "*")):
        raise _refused(name, "wildcards are not supported; bind each name by itself")
    ascii_name = _ascii(name).removesuffix(".")
    labels = ascii_name.split(".")
    if not all(_LABEL.fullmatch(label) and len(label) <= _LONGEST_LABEL for label in labels):
        raise _refused(name, "only letters, digits and - are allowed, in parts separated by dots")
    if len(ascii_name) > _LONGEST:
        raise _refused(name, f"it has {len(ascii_name)} characters; at most {_LONGEST} are allowed")
    if labels[-1].isdigit():
        raise _refused(name, "it is an address, and sites are distinguished by name")
    return ascii_name


def all_plain(names: Iterable[str]) -> tuple[str, ...]:
    """Several normalised names, without duplicates. Raises SiteRefused as `plain` does."""
    return tuple(dict.fromkeys(plain(name) for name in names))


def counterpart(name: str) -> str:
    """The name with `www.` added, or removed if it has it."""
    return name.removeprefix(_WWW) if name.startswith(_WWW) else f"{_WWW}{name}"


def _ascii(name: str) -> str:
    if name.isascii():
        return name.lower()
    try:
        # Mapped as browsers do, by UTS 46, to the form that IDNA 2008 registers.
        return idna.encode(name, uts46=True).decode()
    except idna.IDNAError as error:
        hint = "if it is registered nevertheless, give its spelling that begins with xn--"
        raise _refused(name, f"{error}; {hint}") from error


def _refused(name: str, why: str) -> SiteRefused:
    return SiteRefused(f"{name!r} cannot be bound as a domain: {why}")
