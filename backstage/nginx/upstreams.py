"""Where an Act listens according to its vassal file, as a proxy needs to know."""

from __future__ import annotations

from pathlib import Path

from ..errors import SiteRefused
from ..facts.command_line import quote
from ..layout.paths import ActPaths
from ..uwsgi import includes, places, vassal_files
from ..uwsgi.includes import Script
from ..uwsgi.ini import Address
from .site import Target

_HARAKIRI = 60
# How much longer nginx waits than uWSGI allows, in seconds: then uWSGI's answer still arrives.
MARGIN = 5


def of(act_paths: ActPaths) -> Target:
    """Where the Act answers. Raises SiteRefused if nginx cannot connect to it."""
    if vassal_files.load(act_paths) is None:
        raise SiteRefused(f"{act_paths.name} has no vassal file, so its address is unknown")
    place = places.of(act_paths)
    if place is None:
        raise SiteRefused(
            f"the vassal file of {act_paths.name} names no port or socket that nginx can use; "
            f"write http-socket = 127.0.0.1:8001, or set-placeholder = port=8001 for a daemon; "
            f"type: backstage edit {quote(act_paths.name)}"
        )
    return Target(place.protocol, _written(place.at))


def patience(act_paths: ActPaths) -> int:
    """How long a request may take, in seconds: a little longer than uWSGI allows."""
    file = vassal_files.load(act_paths)
    script = includes.read_all(act_paths.venue, act_paths.vassal, file.text) if file else Script()
    line = script.last("harakiri")
    value = script.value(line) if line and script.knows(line) else ""
    return (int(value) if value.isdigit() and int(value) else _HARAKIRI) + MARGIN


def _written(at: Address | Path) -> str:
    if isinstance(at, Path):
        return str(at)
    host = at.reachable_host
    return f"[{host}]:{at.port}" if ":" in host else f"{host}:{at.port}"
