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
    make_private(venue_paths.own)
    new = venue_paths.own / f"library-{os.urandom(4).hex()}"
    link = new.with_suffix(".part")
    try:
        for package in (_PACKAGE, *_NEEDS):
            home = _home(package)
            copying.copy(_files(home, package), home, new, new)
        link.symlink_to(new.name)
        link.replace(venue_paths.library)
    except BaseException:
        link.unlink(missing_ok=True)
        remove_tree(new)
        raise
    for old in venue_paths.own.glob("library-*"):
        if old != new:
            remove_tree(old)


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
