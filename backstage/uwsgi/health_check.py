"""Which health check an Act has: from venue.yaml, its vassal file, or the common default."""

from __future__ import annotations

import re

from ..errors import SettingsError
from ..facts.health import HealthCheck
from ..layout.paths import ActPaths
from ..layout.settings import Settings, read_settings
from . import includes, vassal_files
from .ini import VassalFile

# The placeholder of a vassal file, or of a file that it includes, that names a health path.
PLACEHOLDER = "health"
# The options of sockets that are asked over plain HTTP, unless venue.yaml says more.
_HTTP = ("http-socket", "http11-socket", "http")
_PATH = re.compile(r"/[!-~]*")
_NONE = HealthCheck()
_USUAL = HealthCheck(path="/")


def check_of(act_paths: ActPaths, settings: Settings | None = None) -> HealthCheck:
    """The health check of an Act; `settings` saves reading venue.yaml for each of many Acts.

    That is `health` in venue.yaml; else the path in a placeholder `health` of the vassal file or of
    its includes; else `/` for Acts that speak HTTP. While venue.yaml cannot be read, it is none.
    """
    try:
        settings = settings or read_settings(act_paths.venue.settings)
    except (SettingsError, OSError):
        return _NONE
    if (wish := settings.act(act_paths.name).health) is not None:
        return wish
    file = vassal_files.load(act_paths)
    if file is None:
        return _NONE
    named = includes.read_all(act_paths.venue, act_paths.vassal, file.text).names
    path = named.get(PLACEHOLDER, "")
    if path == "none":
        return _NONE
    if _PATH.fullmatch(path):
        return HealthCheck(path=path)
    return _USUAL if speaks_http(file) else _NONE


def speaks_http(file: VassalFile) -> bool:
    """Whether the Act answers plain HTTP, on a port or on a Unix socket."""
    return any(file.get(option) for option in _HTTP)
