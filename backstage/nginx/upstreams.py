"""Where an Act listens according to its vassal file, as a proxy needs to know."""

from __future__ import annotations

import os
from pathlib import Path

from ..errors import SiteRefused
from ..layout.paths import ActPaths
from ..uwsgi import includes, vassal_files
from ..uwsgi.includes import Script
from ..uwsgi.ini import Address, VassalFile
from .site import Target

# The options for sockets that a proxy can use, with the protocol; the first one set counts.
_PROTOCOLS = {
    "http-socket": "http",
    "http11-socket": "http",
    "http": "http",
    "socket": "uwsgi",
    "uwsgi-socket": "uwsgi",
}
_HARAKIRI = 60
# How much longer nginx waits than uWSGI allows, in seconds: then uWSGI's answer still arrives.
MARGIN = 5


def of(act_paths: ActPaths) -> Target:
    """Where the Act answers. Raises SiteRefused if nginx cannot connect to it."""
    file = vassal_files.load(act_paths)
    if file is None:
        raise SiteRefused(f"{act_paths.name} has no vassal file, so its address is unknown")
    found = _tcp(file) or _unix(act_paths, _script(act_paths, file))
    if found is None:
        raise SiteRefused(
            f"the vassal file of {act_paths.name} names no port or socket that nginx can use; "
            f"write http-socket = 127.0.0.1:8001, or set-placeholder = port=8001 for a daemon; "
            f"type: backstage edit {act_paths.name}"
        )
    return found


def patience(act_paths: ActPaths) -> int:
    """How long a request may take, in seconds: a little longer than uWSGI allows."""
    file = vassal_files.load(act_paths)
    script = _script(act_paths, file) if file else Script()
    line = script.last("harakiri")
    value = script.value(line) if line and script.knows(line) else ""
    return (int(value) if value.isdigit() and int(value) else _HARAKIRI) + MARGIN


def _script(act_paths: ActPaths, file: VassalFile) -> Script:
    return includes.read_all(act_paths.venue, act_paths.vassal, file.text)


def _tcp(file: VassalFile) -> Target | None:
    address = file.address
    if address is None or address.option.startswith("https"):
        return None
    return Target(_PROTOCOLS.get(address.option, "http"), _written(address))


def _written(address: Address) -> str:
    host = address.reachable_host
    return f"[{host}]:{address.port}" if ":" in host else f"{host}:{address.port}"


def _base(act_paths: ActPaths, script: Script) -> Path:
    """The directory that uWSGI binds in: it changes to `chdir` first."""
    line = script.last("chdir")
    return act_paths.venue.vassals / (script.value(line) if line and script.knows(line) else "")


def _unix(act_paths: ActPaths, script: Script) -> Target | None:
    for option, protocol in _PROTOCOLS.items():
        line = script.last(option)
        value = script.value(line) if line and script.knows(line) else ""
        if "/" in value or (value.endswith(".sock") and ":" not in value):
            return Target(protocol, os.path.normpath(_base(act_paths, script) / value))
    return None
