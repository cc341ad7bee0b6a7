"""Where an Act answers according to its vassal file, and in which protocol."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from ..layout.paths import ActPaths
from . import includes, vassal_files
from .includes import Script
from .ini import Address

HTTP, UWSGI = "http", "uwsgi"
# The options for sockets that speak one of these; of Unix sockets, the first one set counts.
_PROTOCOLS = {
    "http-socket": HTTP,
    "http11-socket": HTTP,
    "http": HTTP,
    "socket": UWSGI,
    "uwsgi-socket": UWSGI,
}


@dataclass(frozen=True)
class Place:
    """A TCP address or the path of a Unix socket, and the protocol that is spoken there."""

    protocol: str
    at: Address | Path


def of(act_paths: ActPaths) -> Place | None:
    """Where the Act answers; None if it has no vassal file, or no socket with such a protocol."""
    file = vassal_files.load(act_paths)
    if file is None:
        return None
    address = file.address
    if address and _PROTOCOLS.get(address.option) == HTTP:
        return Place(HTTP, address)
    script = includes.read_all(act_paths.venue, act_paths.vassal, file.text)
    if address and not address.option.startswith("https"):
        # A daemon that names its port is taken to speak HTTP.
        protocol = _PROTOCOLS.get(address.option, HTTP)
        place: Place | None = Place(_spoken(script, address.option, protocol), address)
    else:
        place = _unix(act_paths, script)
    return place if place and place.protocol in {HTTP, UWSGI} else None


def _spoken(script: Script, option: str, protocol: str) -> str:
    """The protocol of a socket: that of a plain `socket` can be set."""
    chosen = _value(script, "protocol") or _value(script, "socket-protocol")
    return chosen if chosen and option == "socket" else protocol


def _unix(act_paths: ActPaths, script: Script) -> Place | None:
    for option, usual in _PROTOCOLS.items():
        value, protocol = _value(script, option), _spoken(script, option, usual)
        if "/" in value or (value.endswith(".sock") and ":" not in value):
            base = act_paths.venue.vassals / _value(script, "chdir")
            # uWSGI binds in `chdir`, to which it changes first.
            return Place(protocol, Path(os.path.normpath(base / value)))
    return None


def _value(script: Script, option: str) -> str:
    """The last value of an option; '' if there is none, or only uWSGI can tell it."""
    line = script.last(option)
    return script.value(line) if line and script.knows(line) else ""
