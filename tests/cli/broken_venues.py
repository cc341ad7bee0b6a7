"""Venues without an Emperor, each broken in one way, for every command to meet.

They are made by the library itself, with programs that do nothing in the place of Python and uWSGI.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from backstage.layout.paths import VenuePaths
from backstage.operations.new_venue import configure
from backstage.shortcuts import new_act
from backstage.uwsgi import vassal_files
from backstage.venue import Venue
from tests.conftest import LIB

# What is shared by all copies: no command writes there.
_PROGRAMS = {"uwsgi": "echo no such option; exit 1", "python": "exit 0"}
_GARBAGE = b"\xff\xfe\x00[uwsgi\n\t- {: \x1b]0;\n" * 3


def build(top: Path) -> Venue:
    """A Venue with the Act `blog`, which is to run, and `shop`, which is not."""
    (top / LIB / "Django-5.2.dist-info").mkdir(parents=True)
    (top / "bin").mkdir()
    for name, does in _PROGRAMS.items():
        (top / "bin" / name).write_text(f"#!/bin/sh\n{does}\n")
        (top / "bin" / name).chmod(0o755)
    (top / "pyvenv.cfg").write_text("home = /usr/bin\n")
    paths = VenuePaths(top)
    configure(paths)
    library = paths.own / "library-none"
    library.mkdir()
    paths.library.symlink_to(library.name)
    venue = Venue.open(top)
    for name in ("blog", "shop"):
        new_act(venue, name, start=False)
    vassal_files.put_back(paths.act("blog"))
    for log in (paths.emperor_log, paths.act("blog").log):
        log.write_text("*** Starting uWSGI 2.0.31 ***\n")
    paths.events.write_text('{"at": 1.0}\n')
    paths.emperor_pid.write_text("4194304\n")
    return venue


@dataclass(frozen=True)
class Breakage:
    """One way to break a Venue: what happens to the file or directory at `path` in it."""

    path: str
    how: str

    def __str__(self) -> str:
        return f"{self.path}-{self.how}"

    def apply(self, top: Path) -> None:
        (top / self.path).parent.mkdir(parents=True, exist_ok=True)
        _WAYS[self.how](top / self.path)


def copy(model: Path, top: Path, user: int | None) -> None:
    """A copy of a Venue, broken or not, for one call by its owner."""
    top.mkdir()
    if user is not None:
        os.chown(top, user, user)
    for entry in os.scandir(model):
        source, target = Path(entry.path), top / entry.name
        mode = entry.stat(follow_symlinks=False).st_mode
        if stat.S_ISLNK(mode):
            target.symlink_to(source.readlink())
        elif stat.S_ISDIR(mode):
            copy(source, target, user)
        elif stat.S_ISFIFO(mode):
            os.mkfifo(target)
        else:
            shutil.copyfile(source, target)
        if not stat.S_ISLNK(mode):
            target.chmod(stat.S_IMODE(mode))
        if user is not None:
            os.chown(target, user, user, follow_symlinks=False)


def remove(top: Path) -> None:
    """Remove a Venue; a call that could not finish a half-built one has done so."""
    with suppress(FileNotFoundError):
        shutil.rmtree(top)


def _without(path: Path) -> Path:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    return path


def _as_directory(path: Path) -> None:
    _without(path).mkdir()
    (path / "entry").touch()


def _seal(path: Path) -> None:
    if not path.exists():
        path.touch()
    path.chmod(0)


_WAYS: Mapping[str, Callable[[Path], object]] = {
    "missing": _without,
    "file": lambda path: _without(path).write_text("not a directory\n"),
    "directory": _as_directory,
    "pipe": lambda path: os.mkfifo(_without(path)),
    "loop": lambda path: _without(path).symlink_to(path.name),
    "sealed": _seal,
    "empty": lambda path: _without(path).touch(),
    "garbage": lambda path: _without(path).write_bytes(_GARBAGE),
}
_OF_DIRECTORIES = ("missing", "file", "pipe", "loop", "sealed")
_OF_FILES = ("missing", "directory", "pipe", "loop", "sealed", "empty", "garbage")
_DIRECTORIES = (
    *("vassals", "run", "log", "kept", "acts", "templates", ".backstage", "acts/blog"),
    *("bin", "lib"),
)
_FILES = (
    *("venue.yaml", "emperor.ini", ".emperor.lock", "vassals/blog.ini", "kept/blog.ini"),
    *("acts/blog/.env", "acts/blog/manage.py", "log/blog.log", "log/emperor.log"),
    *("log/events.jsonl", "run/emperor.pid", "run/emperor.stats", "run/blog.lock"),
    *("bin/python", "bin/uwsgi", "templates/django.ini", "templates/launch"),
    *(".backstage/shipped.json", ".backstage/watcher.lock", ".backstage/past/blog.json"),
    *("run/blog.tries", "run/blog.refused", "kept/blog.launch", "kept/blog.preparing"),
)
# Those that most commands depend on; every command meets them.
MET_BY_ALL = {
    *(Breakage("venue.yaml", how) for how in ("sealed", "garbage")),
    *(Breakage("vassals", how) for how in ("sealed", "file")),
    Breakage(".emperor.lock", "sealed"),
    Breakage("run", "sealed"),
    Breakage("kept", "missing"),
    Breakage("vassals/blog.ini", "garbage"),
}
EVERY = [
    *(Breakage(path, how) for path in _DIRECTORIES for how in _OF_DIRECTORIES),
    *(Breakage(path, how) for path in _FILES for how in _OF_FILES),
]


def ids() -> list[str]:
    """The names of these states."""
    return [str(state) for state in EVERY]
