"""What an Act needs before uWSGI can load it: its directory, its environment, uWSGI itself."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from ..facts.command_line import quote
from ..facts.faults import Fault
from ..facts.lost_parts import LostPart
from ..layout.paths import ActPaths, VenuePaths
from ..uwsgi import includes, vassal_files
from ..uwsgi.emperor import uwsgi_of
from ..uwsgi.includes import Line, Script

_HOMES = ("home", "virtualenv", "venv", "pyhome")


def missing(act_paths: ActPaths, script: Script) -> Fault | None:
    """The first thing that the configuration of an Act names and that does not exist.

    Conditions and loops in the configuration are not followed: with any, only uWSGI itself counts.
    """
    uwsgi = uwsgi_of(act_paths.venue)
    if not uwsgi.exists():
        return Fault(str(uwsgi), None, "", f"does not exist{_target(uwsgi)}; no Act can start")
    if script.branches:
        return None
    return _missing_directory(act_paths, script) or _missing_environment(act_paths, script)


def lost_projects(venue_paths: VenuePaths, names: Iterable[str]) -> Iterator[LostPart]:
    """The projects in acts/ that Acts are to run from, and that are not there."""
    for act in map(venue_paths.act, names):
        file = None if act.top.is_dir() else vassal_files.load(act)
        script = includes.read_all(venue_paths, act.vassal, file.text) if file else Script()
        _, directory = _named(act, script, "chdir")
        if directory == act.top:
            name = quote(act.name)
            yield LostPart(
                f"acts/{act.name}/",
                f"{act.name} cannot be started again",
                f"backstage retire {name} && backstage new-act {name}",
                "put it back, or, for a new one,",
            )


def _missing_directory(act_paths: ActPaths, script: Script) -> Fault | None:
    for option in ("chdir", "chdir2"):
        line, path = _named(act_paths, script, option)
        if line and path and not path.is_dir():
            return line.blame(f"there is no directory {path}", _remedy(act_paths))
    return None


def _missing_environment(act_paths: ActPaths, script: Script) -> Fault | None:
    line, home = _named(act_paths, script, *_HOMES)
    if not line or not home:
        return None
    if not home.is_dir():
        return line.blame(f"there is no virtual environment {home}")
    interpreters = [home / "bin" / name for name in ("python", "python3")]
    if any(python.exists() for python in interpreters):
        return None
    remedy = "type: backstage relocate" if home == act_paths.venue.top else ""
    what = f"there is no interpreter {interpreters[0]}{_target(interpreters[0])}"
    return line.blame(what, remedy)


def _named(act_paths: ActPaths, script: Script, *options: str) -> tuple[Line | None, Path | None]:
    """The line in force, and the path that it names; uWSGI starts in vassals/."""
    line = script.last(*options)
    if line is None or not script.knows(line):
        return None, None
    return line, act_paths.venue.vassals / script.value(line)


def _remedy(act_paths: ActPaths) -> str:
    name = act_paths.name
    file, vassals = act_paths.vassal, act_paths.venue.vassals
    if file.is_symlink():
        target = Path(os.path.normpath(vassals / file.readlink()))
        other = vassal_files.act_of(target.name) if target.parent == vassals else ""
        if other and other != name:
            return f"vassals/{name}.ini is only a link to the file of the Act {other}"
    return f"put its project there, or type: backstage retire {quote(name)}"


def _target(path: Path) -> str:
    """Where a dangling link points to, as a clause."""
    if not path.is_symlink():
        return ""
    return f", as it is a link to {path.readlink()}, which is gone"
