"""Which health check an Act has: from its vassal file, venue.yaml, its template, or a default."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from contextlib import suppress

from ..errors import SettingsError
from ..facts.health import HealthCheck
from ..layout.paths import ActPaths
from ..layout.settings import Settings, read_settings
from ..system.files import open_regular
from . import includes, ini, places, vassal_files
from .ini import VassalFile

# The placeholder of a vassal file, or of a file that it includes, that names a health path.
PLACEHOLDER = "health"
# The options of sockets that are asked over plain HTTP, unless venue.yaml says more.
_HTTP = ("http-socket", "http11-socket", "http")
_PATH = re.compile(r"/[!-~]*")
_NONE = HealthCheck()
_USUAL = HealthCheck(path="/")
# Projects from our scaffold answer there, in this file of theirs.
_READY, _READY_FILE = "/readyz", "health.py"
_LONGEST_FILE = 65536


def check_of(act_paths: ActPaths, settings: Settings | None = None) -> HealthCheck:
    """The health check of an Act; `settings` saves reading venue.yaml for each of many Acts.

    The first of these says: a placeholder `health` in its vassal file, `health` in venue.yaml, the
    placeholder in an include. Else it is `/readyz` of a project from our scaffold, or `/` of one
    that speaks HTTP. While venue.yaml cannot be read, it is none.
    """
    try:
        settings = settings or read_settings(act_paths.venue.settings)
    except (SettingsError, OSError):
        return _NONE
    file = vassal_files.load(act_paths)
    own = _named(ini.names(file.options())) if file else None
    if own is not None:
        return own
    if (wish := settings.act(act_paths.name).health) is not None:
        return wish
    if file is None:
        return _NONE
    template = _named(includes.read_all(act_paths.venue, act_paths.vassal, file.text).names)
    return _default(act_paths, file) if template is None else template


def _named(placeholders: Mapping[str, str]) -> HealthCheck | None:
    """The check that a placeholder names; None without one, or with a path that cannot be asked."""
    path = placeholders.get(PLACEHOLDER, "")
    if path == "none":
        return _NONE
    return HealthCheck(path=path) if _PATH.fullmatch(path) else None


def _default(act_paths: ActPaths, file: VassalFile) -> HealthCheck:
    if speaks_http(file):
        return HealthCheck(path=_READY) if _is_ours(act_paths, file) else _USUAL
    place = places.of(act_paths)
    # Of another project at such a socket, nobody knows whether it has pages at all.
    is_known = place and place.protocol == places.UWSGI and _is_ours(act_paths, file)
    return HealthCheck(path=_READY) if is_known else _NONE


def _is_ours(act_paths: ActPaths, file: VassalFile) -> bool:
    """Whether the project has the module of our scaffold that answers there."""
    package = (file.get("module") or act_paths.name).partition(".")[0]
    with suppress(OSError, ValueError):
        descriptor = open_regular(act_paths.top / package / _READY_FILE)
        with os.fdopen(descriptor, "rb") as module:
            return f'"{_READY}"'.encode() in module.read(_LONGEST_FILE)
    return False


def speaks_http(file: VassalFile) -> bool:
    """Whether the Act answers plain HTTP, on a port or on a Unix socket."""
    return any(file.get(option) for option in _HTTP)
