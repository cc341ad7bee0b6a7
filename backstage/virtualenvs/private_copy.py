"""The private copy of this library in a Venue, with what it needs, for the Venue's own processes.

They run it with the Venue's Python, but without the Venue's packages (`python -I -S`), and no Act
can import it. So it stays as it is when the environment that this library was installed in is
upgraded or removed, or cannot be read from a unit or by another user.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from importlib.machinery import EXTENSION_SUFFIXES
from importlib.util import find_spec
from pathlib import Path

from ..errors import EnvironmentFailed
from ..layout.paths import VenuePaths
from ..system import umask
from ..system.files import make_private, remove_tree
from . import copying

_PACKAGE = __name__.partition(".")[0]
_NEEDS = ("filelock", "psutil", "watchdog", "yaml")
# What only the command and the operations need, the tests of others, and 3 MB that PyYAML can do
# without.
_LEFT_OUT = frozenset(
    {
        *(
            "cli",
            "doctor",
            "nginx",
            "operations",
            "scaffold",
            "scaffolds",
            "shortcuts",
            "virtualenvs",
        ),
        *("tests", "_yaml"),
    }
)
_MODULES = (".py", f".{sys.implementation.cache_tag}.pyc", *EXTENSION_SUFFIXES)


def make(venue_paths: VenuePaths) -> None:
    """Make the copy, or replace it in one step; processes that run the old one are not told.

    Raises EnvironmentFailed or OSError; then the old one is still in place.
    """
    add(venue_paths)
    remove_unused(venue_paths)


def add(venue_paths: VenuePaths) -> None:
    """Like `make`, but keeps the old copy, so that `use` can put it back."""
    with umask.closed():
        _add(venue_paths)


def _add(venue_paths: VenuePaths) -> None:
    make_private(venue_paths.own)
    new = venue_paths.own / f"library-{os.urandom(4).hex()}"
    try:
        for package in (_PACKAGE, *_NEEDS):
            home = _home(package)
            copying.copy(_files(home, package), home, new, new)
        use(venue_paths, new.name)
    except BaseException:
        remove_tree(new)
        raise


def in_use(venue_paths: VenuePaths) -> str:
    """The name of the copy in use; '' if there is none."""
    try:
        return venue_paths.library.readlink().name
    except OSError:
        return ""


def use(venue_paths: VenuePaths, name: str) -> None:
    """Put the copy of this name into place; '' for none."""
    if not name:
        venue_paths.library.unlink(missing_ok=True)
        return
    link = venue_paths.own / f"{name}.part"
    try:
        link.symlink_to(name)
        link.replace(venue_paths.library)
    finally:
        link.unlink(missing_ok=True)


def remove_unused(venue_paths: VenuePaths) -> None:
    """Remove all copies but the one in use."""
    used = in_use(venue_paths)
    for old in venue_paths.own.glob("library-*"):
        if old.name != used:
            remove_tree(old)


def is_current(venue_paths: VenuePaths) -> bool:
    """Whether the copy in use is the same as this library with its needs."""
    copy = venue_paths.library
    try:
        for package in (_PACKAGE, *_NEEDS):
            home = _home(package)
            here, there = _sources(home, package), _sources(copy, package)
            if here != there or any(_differs(home / name, copy / name) for name in here):
                return False
    except OSError:
        return False
    return True


def _sources(home: Path, package: str) -> set[str]:
    """What decides whether two copies are the same: bytecode is made from it."""
    return {name for name in _files(home, package) if not name.endswith(".pyc")}


def _differs(file: Path, other: Path) -> bool:
    return file.read_bytes() != other.read_bytes()


def _home(package: str) -> Path:
    """The directory that holds the package."""
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise EnvironmentFailed(f"the package {package} is not installed; reinstall this library")
    return Path(next(iter(spec.submodule_search_locations))).parent


def _files(home: Path, package: str) -> Iterator[str]:
    """The modules of a package, relative to its home, with their bytecode for this Python."""
    for folder, folders, names in os.walk(home / package):
        folders[:] = [name for name in folders if name not in _LEFT_OUT]
        place = os.path.relpath(folder, home)
        for name in names:
            if name.endswith(_MODULES) and name.partition(".")[0] not in _LEFT_OUT:
                yield f"{place}/{name}"
