"""What a vassal file says: an ini of uWSGI's, as far as the library has to know.

The format is that of uWSGI's own reader: sections in brackets, `key = value`, comments that begin
a line with `#` or `;`, keys that may repeat. Only the section `[uwsgi]` counts.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePath
from typing import NamedTuple

# What stands behind the digits of a port, uWSGI does not read.
_ADDRESS = re.compile(r"(?P<host>\[[^\]]+\]|[^:,\s]*):(?P<port>\d{1,5})(?!\d)")
_MAGIC = re.compile(r"%(.)")
_BLANKS = " \t\r"
# Signs that depend on the machine, the moment or the file's inode.
_UNTOLD_SIGNS = frozenset("bjiJIhtTVkuUgG[v")
# A value that needs itself would be filled in for ever.
_LONGEST_VALUE = 10_000

# Options that bind an HTTP port, in the order in which a URL would prefer them.
_HTTP_SOCKETS = ("http-socket", "http11-socket", "http", "https", "https-socket")
_OTHER_SOCKETS = ("socket", "uwsgi-socket")
SOCKETS = (*_HTTP_SOCKETS, *_OTHER_SOCKETS)
PLACEHOLDERS = frozenset({"set-placeholder", "set-ph", "set"})
# Tells the port of a vassal whose daemon binds it, and no socket of uWSGI's.
_PORT = "port"


class Setting(NamedTuple):
    """An option as a file has it; lines count from 1."""

    line: int
    key: str
    value: str


@dataclass(frozen=True)
class Address:
    """A TCP address that a vassal binds; `host` is empty where it binds every interface."""

    host: str
    port: int
    option: str

    @property
    def speaks_http(self) -> bool:
        return self.option in _HTTP_SOCKETS

    @property
    def direct(self) -> bool:
        """Whether workers listen there themselves, not a router or a daemon for them."""
        return self.option.endswith("socket")

    @property
    def bound_host(self) -> str:
        """The host as bind() wants it."""
        return self.host.strip("[]") or "0.0.0.0"

    @property
    def reachable_host(self) -> str:
        """The host to connect to from this machine."""
        return self.host.strip("[]") if self.host not in {"", "0.0.0.0", "[::]"} else "127.0.0.1"


@dataclass(frozen=True)
class VassalFile:
    """The text of a vassal file called `name`.ini."""

    name: str
    text: str

    def options(self) -> Iterator[tuple[str, str]]:
        """Every option with its value as written, in order."""
        return ((key, value) for _, key, value in self._settings)

    def get(self, key: str) -> str | None:
        """The value that counts, the last one, with placeholders filled in."""
        value = self._values.get(key)
        return None if value is None else self._expand(value)

    @cached_property
    def address(self) -> Address | None:
        """The TCP address it answers at, preferring HTTP; None for none or a Unix socket.

        Where no socket has one, `set-placeholder = port=8005` tells the port of its daemon.
        """
        for option in SOCKETS:
            value = self._values.get(option)
            if value and (found := tcp_address(option, self._expand(value))):
                return found
        return tcp_address(_PORT, f"127.0.0.1:{self._expand(f'%({_PORT})')}")

    def differences(self, other: VassalFile) -> list[str]:
        """What has changed since `other`, in words: `threads = 4 → 8`, `+ harakiri = 30`."""
        now, before = list(self.options()), list(other.options())
        keys = dict.fromkeys(key for key, _ in (*before, *now))
        changes = [change for key in keys for change in _changes(key, before, now)]
        if not changes and now != before:
            return ["options in another order"]
        return changes

    @cached_property
    def _settings(self) -> tuple[Setting, ...]:
        return settings(self.text)

    @cached_property
    def _values(self) -> Mapping[str, str]:
        return dict(self.options())

    @cached_property
    def _names(self) -> Mapping[str, str]:
        signs = _signs_of_name(self.name)
        return names((key, magic(value, signs)) for key, value in self.options())

    def _expand(self, value: str) -> str:
        if "%" not in value:
            return value
        return filled(magic(value, _signs_of_name(self.name)), self._names)


def settings(text: str, section: str = "uwsgi") -> tuple[Setting, ...]:
    """Every option in one section of an ini, in order, as uWSGI reads it."""
    found = []
    current = ""
    for number, written in enumerate(text.split("\n"), 1):
        line = written.strip(_BLANKS)
        if not line or line[0] in "#;":
            continue
        if line[0] == "[":
            current = line[1:-1]
        elif current == section:
            key, _, value = line.partition("=")
            found.append(Setting(number, key.rstrip(_BLANKS), value.lstrip(_BLANKS)))
    return tuple(found)


def signs_of(file: PurePath, first: PurePath) -> dict[str, str]:
    """What `%n`, `%d` and the like mean in a file; capitals mean the `first` one of all."""
    capitals = {sign.upper(): text for sign, text in _signs(first).items() if sign.isalpha()}
    return {**_signs(file), **capitals}


def magic(value: str, signs: Mapping[str, str]) -> str:
    """A value with its signs spelt out; what depends on the machine is left as it is."""
    if "%" not in value:
        return value
    return _MAGIC.sub(
        lambda found: signs.get(found[1], found[0] if found[1] in _UNTOLD_SIGNS else ""), value
    )


def names(options: Iterable[tuple[str, str]]) -> dict[str, str]:
    """What `%(name)` means; of two with one name, uWSGI takes the first."""
    known: dict[str, str] = {}
    for key, value in options:
        known.setdefault(key, value)
        if key in PLACEHOLDERS:
            name, _, text = value.partition("=")
            known.setdefault(name, text)
    return known


def filled(value: str, known: Mapping[str, str]) -> str:
    """A value with its `%(name)`s filled in; unknown ones are left.

    As uWSGI does it: what is filled in may hold further ones, but not at the very beginning.
    """
    start = 0
    while (begin := value.find("%(", start)) >= 0 and len(value) < _LONGEST_VALUE:
        end = value.find(")", begin)
        if end < 0:
            break
        text = known.get(value[begin + 2 : end])
        if text is None:
            start = end
        else:
            value, start = value[:begin] + text + value[end + 1 :], 1
    return value


def tcp_address(option: str, value: str) -> Address | None:
    """The TCP address in the value of a socket option; None for a Unix socket."""
    match = _ADDRESS.match(value)
    if match and 0 < int(match["port"]) < 65536:
        return Address(match["host"], int(match["port"]), option)
    return None


def _signs_of_name(name: str) -> dict[str, str]:
    """What the signs mean in a file of which only the name is known, not where it lies."""
    return {"n": name, "N": name, "d": "%d", "D": "%D", "%": "%", "(": "%("}


def _signs(file: PurePath) -> dict[str, str]:
    folders = {str(place): part for place, part in enumerate(file.parts[1:-1][:10])}
    return {
        **dict.fromkeys("0123456789", ""),
        **folders,
        **{"p": str(file), "s": file.name, "n": file.stem, "e": file.suffix[1:]},
        **{"d": f"{file.parent}/", "c": file.parent.name, "o": str(file)},
        **{"%": "%", "(": "%("},
    }


def _changes(key: str, before: list[tuple[str, str]], now: list[tuple[str, str]]) -> Iterator[str]:
    old = Counter(value for name, value in before if name == key)
    new = Counter(value for name, value in now if name == key)
    gone, come = list((old - new).elements()), list((new - old).elements())
    if len(gone) == len(come) == 1:
        yield f"{key} = {gone[0]} → {come[0]}"
        return
    for value in gone:
        yield f"- {key} = {value}" if old.total() > 1 else f"- {key}"
    for value in come:
        yield f"+ {key} = {value}"
