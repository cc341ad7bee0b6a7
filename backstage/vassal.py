"""What a vassal file says: an ini of uWSGI's, as far as the library has to know.

The format is that of uWSGI's own reader: sections in brackets, `key = value`, comments that begin
a line with `#` or `;`, keys that may repeat. Only the section `[uwsgi]` counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_OPTION = re.compile(r"\s*(?P<key>[^=#;\s\[][^=]*?)\s*=\s*(?P<value>.*?)\s*\Z")
_SECTION = re.compile(r"\s*\[(?P<name>[^\]]*)\]")
_PLACEHOLDER = re.compile(r"%\((?P<key>[^)]+)\)")
# What stands behind the digits of a port, uWSGI does not read.
_ADDRESS = re.compile(r"(?P<host>\[[^\]]+\]|[^:,\s]*):(?P<port>\d{1,5})(?!\d)")

# Options that bind an HTTP port, in the order in which a URL would prefer them.
_HTTP_SOCKETS = ("http-socket", "http11-socket", "http", "https", "https-socket")
_OTHER_SOCKETS = ("socket", "uwsgi-socket")


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
        section = ""
        for line in self.text.splitlines():
            if header := _SECTION.match(line):
                section = header["name"]
            elif section == "uwsgi" and (match := _OPTION.match(line)):
                yield match["key"], match["value"]

    def get(self, key: str) -> str | None:
        """The value that counts, the last one, with placeholders filled in."""
        values = [value for option, value in self.options() if option == key]
        return self._expand(values[-1]) if values else None

    @property
    def address(self) -> Address | None:
        """The TCP address it answers at, preferring HTTP; None for none or a Unix socket."""
        for option in (*_HTTP_SOCKETS, *_OTHER_SOCKETS):
            match = _ADDRESS.match(self.get(option) or "")
            if match and 0 < int(match["port"]) < 65536:
                return Address(match["host"], int(match["port"]), option)
        return None

    def _expand(self, value: str) -> str:
        placeholders: dict[str, str] = {}
        for option, setting in self.options():
            if option in {"set-placeholder", "set-ph"}:
                key, _, text = setting.partition("=")
                # Of two with one name, uWSGI takes the first.
                placeholders.setdefault(key.strip(), text.strip())
        for _ in range(len(placeholders) + 1):
            filled = _PLACEHOLDER.sub(lambda m: placeholders.get(m["key"], m[0]), value)
            if filled == value:
                break
            value = filled
        return value.replace("%n", self.name)
