"""The files of a project that is not trusted yet: found and read within bounds, never run."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path, PurePosixPath

from ..system.files import read_regular

# In bytes; the settings of large applications have a quarter of it.
_LONGEST = 256 * 1024
_DEEPEST = 8
# A large application has some five thousand files; a hostile archive may have any number.
_MOST_ENTRIES = 50_000
# What was installed, built or generated says nothing about the project.
_PASSED_OVER = frozenset({"node_modules", "bower_components", "site-packages", "__pycache__"})
# What may be said of deployment in a hidden directory.
_HIDDEN = frozenset({".envs", ".env", ".deploy", ".config", ".docker", ".platform"})


@dataclass(frozen=True)
class Tree:
    """The files below a directory, the shallowest first, as paths relative to it.

    Links are left out, whatever they point to. `is_cut` tells that there were too many files.
    """

    top: Path
    files: tuple[str, ...]
    is_cut: bool = False

    def text(self, file: str) -> str:
        """What a file says, as far as it is text; '' if it is too large or cannot be read."""
        with suppress(OSError):
            data, facts = read_regular(self.top / file, _LONGEST)
            if facts.st_size <= _LONGEST:
                return data.decode("utf-8-sig", errors="replace").replace("\0", "")
        return ""

    def named(self, *names: str) -> tuple[str, ...]:
        """The files with one of these names, the shallowest first."""
        return tuple(file for file in self.files if file.rpartition("/")[2] in names)

    def module(self, name: str, bases: tuple[str, ...]) -> str:
        """The file of a module that is searched for in these directories; '' if there is none."""
        below = name.replace(".", "/")
        places = (f"{base}/{below}".lstrip("/") for base in bases)
        named = (f"{place}{end}" for place in places for end in (".py", "/__init__.py"))
        return next((file for file in named if file in self._known), "")

    @cached_property
    def _known(self) -> frozenset[str]:
        return frozenset(self.files)


def walk(top: Path) -> Tree:
    """The tree at `top`. Raises OSError if that is no directory that can be read."""
    files: list[str] = []
    level, left = [""], _MOST_ENTRIES
    for depth in range(_DEEPEST + 1):
        below: list[str] = []
        for folder in level:
            entries = _entries(top, folder, left, must_be=not depth)
            left -= len(entries)
            files += (path for path, is_folder in entries if not is_folder)
            below += (path for path, is_folder in entries if is_folder)
        level = below
    return Tree(top, tuple(files), is_cut=left <= 0)


def parent(file: str) -> str:
    """The directory of a file; '' for the top of the tree."""
    return file.rpartition("/")[0]


def words_of(path: str) -> frozenset[str]:
    """The words that the names in a path consist of, in lower case."""
    for sign in "./-_ ":
        path = path.replace(sign, " ")
    return frozenset(path.lower().split())


def _entries(top: Path, folder: str, most: int, *, must_be: bool) -> list[tuple[str, bool]]:
    """The files and directories in a directory, sorted, and whether each is a directory."""
    try:
        with os.scandir(top / folder) as found:
            if (top / folder / "pyvenv.cfg").exists() and folder:
                return []
            taken = sorted(islice(found, most), key=lambda entry: entry.name)
    except OSError:
        if must_be:
            raise
        return []
    return list(_wanted(taken, folder))


def _wanted(entries: list[os.DirEntry[str]], folder: str) -> Iterator[tuple[str, bool]]:
    for entry in entries:
        path = str(PurePosixPath(folder, entry.name))
        # A name that is not UTF-8 can be neither shown nor written down.
        if not entry.name.isprintable():
            continue
        if entry.is_file(follow_symlinks=False):
            yield path, False
        elif entry.is_dir(follow_symlinks=False) and _is_looked_into(entry.name, folder):
            yield path, True


def _is_looked_into(name: str, folder: str) -> bool:
    is_shown = name[0] != "." or name in _HIDDEN or folder.startswith(".")
    return is_shown and name not in _PASSED_OVER
