"""Moves the files of a stopped Act into `retired/` and back; each step can be repeated."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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
    _move(act_paths.past, begun.past)
    clear(act_paths)
    _move(act_paths.kept, begun.vassal)


def move_back(act_paths: ActPaths, returning: Retirement) -> None:
    """Move everything back; the vassal file in `retired/` stays until all else is done."""
    _move(returning.project, act_paths.top)
    names = _log_names(returning.act, act_paths.name)
    for directory in (returning.logs, act_paths.own_log):
        for before, after in names.items():
            goal = act_paths.venue.log if directory == returning.logs else directory
            _move(directory / before, goal / after)
    _move(returning.past, act_paths.past)
    vassal_files.write(act_paths.kept, returning.text.encode(errors="surrogateescape"))
    returning.end_return()


def undo_return(act_paths: ActPaths, returning: Retirement) -> None:
    """Leave the Act retired after all, and what is left here as it was."""
    act_paths.kept.unlink(missing_ok=True)
    _move(act_paths.top, returning.project)
    _move(act_paths.past, returning.past)
    names = _log_names(act_paths.name, returning.act)
    for directory in (act_paths.own_log, act_paths.venue.log):
        for before, after in names.items():
            goal = returning.logs if directory == act_paths.venue.log else directory
            _move(directory / before, goal / after)
    replace(returning, returning=False, text="", new_name="").write()


def logs_of(act_paths: ActPaths) -> Iterator[Path]:
    """The Act's logs: a directory if it has a user of its own, else files."""
    for name in _log_names(act_paths.name, act_paths.name):
        if (act_paths.venue.log / name).exists():
            yield act_paths.venue.log / name


def _log_names(before: str, after: str) -> Mapping[str, str]:
    """What an Act's logs are called under two names; in its own directory too."""
    return {f"{before}{suffix}": f"{after}{suffix}" for suffix in ("", ".log", ".log.1")}


def clear(act_paths: ActPaths) -> None:
    """Remove what was written about an Act that is here no more."""
    left = (act_paths.launch, act_paths.preparing, act_paths.own_run)
    for path in (*left, *act_paths.recorded):
        files.remove_tree(path)


def _move(source: Path, goal: Path) -> None:
    if source.exists() and not goal.exists():
        goal.parent.mkdir(mode=0o755, exist_ok=True)
        source.rename(goal)
