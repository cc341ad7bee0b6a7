"""The Venue's copy of Apprise with what it needs, for the process that tells the targets of notify.

It is apart from the private copy of this library, which most Venues have alone.
"""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

from ..errors import EnvironmentFailed
from ..layout.paths import VenuePaths
from ..system.files import make_private, remove_tree
from . import copying
from .distributions import Library

_NAME = "apprise"


def provide(venue_paths: VenuePaths) -> None:
    """Copy Apprise from the environment of this library, if it is there in another version.

    Raises EnvironmentFailed or OSError; then the old copy is still in place.
    """
    spec = find_spec(_NAME)
    if spec is None or not spec.origin:
        return
    library = Library(Path(spec.origin).parents[1])
    distribution = library.get(_NAME)
    goal = venue_paths.own / f"{_NAME}-{distribution.version if distribution else '0'}"
    if goal.is_dir():
        return
    files = library.files_of([_NAME])
    if files is None:
        raise EnvironmentFailed("what Apprise needs is not installed; type: pip install apprise")
    make_private(venue_paths.own)
    new = venue_paths.own / f".{_NAME}-{os.urandom(4).hex()}"
    try:
        # Without its scripts.
        copying.copy([f for f in files if not f.startswith("../")], library.site_packages, new, new)
        new.rename(goal)
    except BaseException:
        remove_tree(new)
        raise
    for old in (*venue_paths.own.glob(f"{_NAME}-*"), *venue_paths.own.glob(f".{_NAME}-*")):
        if old != goal:
            remove_tree(old)
