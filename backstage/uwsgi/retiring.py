"""Moves the files of a stopped Act into `retired/` and back; each step can be repeated."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from ..layout.paths import ActPaths
from ..layout.retirement import Retirement
from ..system import files
from . import vassal_files


def move_away(act_paths: ActPaths, begun: Retirement) -> None:
    """Move everything of the Act; the vassal file comes last, so that it is an Act until then."""
    _move(act_paths.top, begun.project)
    for path in logs_of(act_paths):
        _move(path, begun.logs / path.name)
    clear(act_paths)
    _move(act_paths.kept, begun.vassal)


def move_back(act_paths: ActPaths, returning: Retirement) -> None:
    """Move everything back; the vassal file in `retired/` stays until all else is done."""
    _move(returning.project, act_paths.top)
    for path in [*returning.logs.glob("*")]:
        _move(path, act_paths.venue.log / path.name)
    vassal_files.write(act_paths.kept, returning.text)
    returning.end_return()


def undo_return(act_paths: ActPaths, returning: Retirement) -> None:
    """Leave the Act retired after all, and what is left here as it was."""
    act_paths.kept.unlink(missing_ok=True)
    _move(act_paths.top, returning.project)
    for path in logs_of(act_paths):
        _move(path, returning.logs / path.name)
    replace(returning, returning=False, text="").write()


def logs_of(act_paths: ActPaths) -> Iterator[Path]:
    """The Act's logs: a directory if it has a user of its own, else files."""
    log = act_paths.venue.log
    for name in (act_paths.name, f"{act_paths.name}.log", f"{act_paths.name}.log.1"):
        if (log / name).exists():
            yield log / name


def clear(act_paths: ActPaths) -> None:
    """Remove what was written about an Act that is here no more."""
    left = (act_paths.launch, act_paths.preparing, act_paths.own_run)
    for path in (*left, *act_paths.recorded):
        files.remove_tree(path)


def _move(source: Path, goal: Path) -> None:
    if source.exists() and not goal.exists():
        goal.parent.mkdir(mode=0o755, exist_ok=True)
        source.rename(goal)
