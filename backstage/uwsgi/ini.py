"""The contents of a vassal file: the part of uWSGI's ini format that the library needs.

The format is defined by uWSGI's own reader: sections in brackets, `key = value`, comment lines that
begin with `#` or `;`, keys that may repeat. Only the section `[uwsgi]` counts.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePath
from typing import NamedTuple

# uWSGI ignores whatever follows the digits of a port.
_ADDRESS = re.compile(r"(?P<host>\[[^\]]+\]|[^:,\s]*):(?P<port>\d{1,5})(?!\d)")
_MAGIC = re.compile(r"%(.)")
# A port in the value of an option: `:8001`, or `port=8001`.
_NUMBER = re.compile(r"(?<=[:=])\d{1,5}(?![\d.:])")
_BLANKS = " \t\r"
# Signs whose value depends on the machine, the time or the file's inode.
_UNTOLD_SIGNS = frozenset("bjiJIhtTVkuUgG[v")
# Values that refer to themselves or to each other would be expanded forever, growing or not.
_LONGEST_VALUE = 10_000
_MOST_STEPS = 1000

# Options that bind an HTTP port, in order of preference for the Act's URL.
_HTTP_SOCKETS = ("http-socket", "http11-socket", "http", "https", "https-socket")
_OTHER_SOCKETS = ("socket", "uwsgi-socket")
SOCKETS = (*_HTTP_SOCKETS, *_OTHER_SOCKETS)
# Options that make uWSGI run another program beside or instead of its own workers.
DAEMONS = ("attach-daemon", "attach-daemon2", "smart-attach-daemon", "smart-attach-daemon2")
PLACEHOLDERS = frozenset({"set-placeholder", "set-ph", "set"})
# The placeholder for the port of a vassal whose daemon, not uWSGI, binds it.
_PORT = "port"


class Setting(NamedTuple):
    """An option as written in a file; lines count from 1."""

    line: int
    key: str
    value: str


@dataclass(frozen=True)
class Address:
    """A TCP address that a vassal binds; `host` is empty if it binds every interface."""

    host: str
    port: int
    option: str

    @property
    def speaks_http(self) -> bool:
        return self.option in _HTTP_SOCKETS

    @property
    def direct(self) -> bool:
        """Whether the workers listen there themselves, rather than a router or a daemon."""
        return self.option.endswith("socket")

    @property
    def bound_host(self) -> str:
        """The host in the form that bind() takes."""
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
        """Every option with its value as written, in file order."""
        return ((key, value) for _, key, value in self._settings)

    def get(self, key: str) -> str | None:
        """The value in force, that is the last one, with its placeholders expanded."""
        value = self._values.get(key)
        return None if value is None else self._expand(value)

    @cached_property
    def address(self) -> Address | None:
        """The TCP address of the Act, preferably HTTP; None if it has none or a Unix socket.

        If no socket option has one, `set-placeholder = port=8005` gives the port of its daemon.
        """
        for option in SOCKETS:
            value = self._values.get(option)
            if value and (found := tcp_address(option, self._expand(value))):
                return found
        return tcp_address(_PORT, f"127.0.0.1:{self._expand(f'%({_PORT})')}")

    @property
    def addresses(self) -> tuple[Address, ...]:
        """All TCP addresses of the Act, `address` first."""
        pairs = [(key, self._expand(value)) for key, value in self.options() if key in SOCKETS]
        found = (self.address, *(tcp_address(key, value) for key, value in pairs))
        return tuple(dict.fromkeys(each for each in found if each))

    def with_ports(self, ports: Mapping[int, int]) -> VassalFile:
        """The same file with these ports, by those that they replace."""
        lines = self.text.split("\n")
        for number, key, value in self._settings:
            if key in SOCKETS or key in PLACEHOLDERS:
                head, _, _ = lines[number - 1].partition("=")
                changed = _NUMBER.sub(lambda found: str(ports.get(int(found[0]), found[0])), value)
                if changed != value:
                    lines[number - 1] = f"{head.rstrip(_BLANKS)} = {changed}"
        return VassalFile(self.name, "\n".join(lines))

    def differences(self, other: VassalFile) -> list[str]:
        """The changes since `other` as text: `threads = 4 → 8`, `+ harakiri = 30`."""
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
    """Every option in one section of an ini file, in order, as uWSGI reads them."""
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
    """The values of `%n`, `%d` and the like in a file; capitals refer to the `first` file."""
    capitals = {sign.upper(): text for sign, text in _signs(first).items() if sign.isalpha()}
    return {**_signs(file), **capitals}


def magic(value: str, signs: Mapping[str, str]) -> str:
    """A value with its signs expanded, except those that depend on the machine."""
    if "%" not in value:
        return value
    return _MAGIC.sub(
        lambda found: signs.get(found[1], found[0] if found[1] in _UNTOLD_SIGNS else ""), value
    )


def names(options: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The values of `%(name)`; of two with the same name, uWSGI takes the first."""
    known: dict[str, str] = {}
    for key, value in options:
        known.setdefault(key, value)
        if key in PLACEHOLDERS:
            name, _, text = value.partition("=")
            known.setdefault(name, text)
    return known


def filled(value: str, known: Mapping[str, str]) -> str:
    """A value with its `%(name)` placeholders expanded; unknown ones are left as they are.

    As in uWSGI, an expanded value may contain further placeholders, except at its very beginning.
    """
    start = 0
    for _ in range(_MOST_STEPS):
        begin = value.find("%(", start)
        end = value.find(")", begin)
        if begin < 0 or end < 0 or len(value) >= _LONGEST_VALUE:
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
    """The values of the signs in a file whose name is known, but not its directory."""
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
