"""What a tree of code may hold: no links out of it, no pointers to files that were not fetched."""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from ..system.files import remove_tree

# Made again from the rest, or of no use without the tools that made it.
_LEFT_OUT = frozenset({".git", ".hg", ".svn", "node_modules", "__pycache__"})
_ENVIRONMENT = frozenset({"bin", "lib", "lib64", "include", "pyvenv.cfg"})
# A file of git's beside the code of a submodule, or a repository.
_GIT = ".git"
_POINTER = re.compile(rb"version https://git-lfs\.github\.com/spec/v1\r?\n.*oid sha256:", re.DOTALL)
# The least and the most bytes of a pointer.
_POINTER_SIZES = range(100, 1025)


def walk(top: Path) -> Iterator[os.DirEntry[str]]:
    """All that is in a directory and below, each directory before what is in it."""
    waiting = [str(top)]
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                yield entry
                # It may have been removed since.
                if entry.is_dir(follow_symlinks=False) and Path(entry.path).is_dir():
                    waiting.append(entry.path)


def is_environment(directory: str) -> bool:
    """Whether a directory is a virtual environment, or a Venue."""
    return any(
        os.path.lexists(os.path.join(directory, each)) for each in ("pyvenv.cfg", "conda-meta")
    )


def left_out(top: Path) -> Callable[[os.DirEntry[str]], bool]:
    """What tells whether something in a tree is no part of its code.

    The top may be a virtual environment itself, beside its code.
    """
    own = _ENVIRONMENT if is_environment(str(top)) else frozenset()
    own_paths = {str(top / name) for name in own}

    def is_left_out(entry: os.DirEntry[str]) -> bool:
        if entry.name in _LEFT_OUT or entry.name.endswith((".pyc", ".pyo")):
            return True
        # A link to an environment as well.
        return entry.path in own_paths or is_environment(entry.path)

    return is_left_out


def prune(top: Path) -> None:
    """Remove what is no part of the code."""
    is_left_out = left_out(top)
    for entry in walk(top):
        if is_left_out(entry):
            remove_tree(Path(entry.path))


def forget_git(top: Path) -> None:
    """Remove repositories, and keep what was checked out of them."""
    for entry in walk(top):
        if entry.name == _GIT:
            remove_tree(Path(entry.path))


def restrict(top: Path) -> None:
    """Let nobody else write, and drop setuid bits."""
    for entry in walk(top):
        if entry.is_symlink():
            continue
        mode = entry.stat(follow_symlinks=False).st_mode
        wanted = kept_mode(mode)
        if stat.S_IMODE(mode) != wanted:
            Path(entry.path).chmod(wanted)


def kept_mode(mode: int) -> int:
    """The mode that a file or a directory gets for the one it had at its source."""
    return mode & 0o755 | (0o700 if stat.S_ISDIR(mode) else 0o600)


def links_out(top: Path) -> Iterator[str]:
    """The links, as `name -> target`, that lead out of a tree, or in a circle.

    One may do so by the way of others that are in the tree.
    """
    whole = os.path.realpath(top)
    for entry in walk(top):
        if not entry.is_symlink():
            continue
        if is_circle(entry.path) or not _is_within(os.path.realpath(entry.path), whole):
            yield f"{os.path.relpath(entry.path, top)} -> {Path(entry.path).readlink()}"


def is_circle(link: str) -> bool:
    """Whether a link leads back to itself, which no walker of directories expects."""
    try:
        Path(link).stat()
    except OSError as error:
        return error.errno == errno.ELOOP
    return False


def pointers(top: Path) -> list[str]:
    """The files, by their names in the tree, in whose place Git LFS has left a pointer."""
    return sorted(os.path.relpath(each, top) for each in _small_files(top) if _is_pointer(each))


def _is_within(path: str, top: str) -> bool:
    return path == top or path.startswith(top + os.sep)


def _small_files(top: Path) -> Iterable[str]:
    for entry in walk(top):
        facts = entry.stat(follow_symlinks=False)
        if stat.S_ISREG(facts.st_mode) and facts.st_size in _POINTER_SIZES:
            yield entry.path


def _is_pointer(path: str) -> bool:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        return bool(_POINTER.match(os.read(descriptor, _POINTER_SIZES.stop)))
    finally:
        os.close(descriptor)
