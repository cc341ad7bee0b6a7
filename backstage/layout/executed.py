"""What is run or loaded from a Venue: whoever can write there can run code as its owner."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from ..system import trust
from ..system.refusals import telling
from .paths import ActPaths, VenuePaths


def refuse_loose(venue_paths: VenuePaths, act_paths: ActPaths | None = None) -> None:
    """Raise UnsafeDirectory if others than this user and root could change what is run here.

    Of the files in `vassals/` and `kept/`, those of one Act count: others are their Act's trouble,
    which `templates/launch` does not start.
    """
    own = (act_paths.vassal, act_paths.kept, act_paths.launch) if act_paths else ()
    with telling(f"examining {venue_paths.top}", venue_paths.top):
        trust.refuse_untrusted(venue_paths.top)
        trust.refuse_loose(venue_paths.top, [*places(venue_paths), *_with_targets(own)])


def places(venue_paths: VenuePaths) -> Iterator[Path]:
    """What is run of the Venue itself; it need not be there."""
    library, programs = venue_paths.site_packages, venue_paths.python.parent
    yield from (venue_paths.top, venue_paths.top / "lib")
    yield from (library.parent, programs, venue_paths.acts, venue_paths.vassals, venue_paths.kept)
    yield from _with_targets(
        (
            *(venue_paths.emperor_ini, venue_paths.settings, venue_paths.env_file),
            venue_paths.top / "pyvenv.cfg",
        )
    )
    # The interpreter may be another user's, such as that of a package manager.
    yield from _inside(programs)
    for directory in (library, venue_paths.templates, venue_paths.own, venue_paths.residents):
        yield from _with_targets((directory, *_inside(directory)))


def _inside(directory: Path) -> Iterator[Path]:
    yield from sorted(directory.iterdir()) if directory.is_dir() else ()


def _with_targets(places: Iterable[Path]) -> Iterator[Path]:
    for place in places:
        yield place
        if place.is_symlink():
            # Unlike `resolve`, it takes a loop of links for a path that leads nowhere.
            yield Path(os.path.realpath(place))
