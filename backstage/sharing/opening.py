"""Opening a Venue, the user's own or one that is shared with a group of the user's."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..layout.paths import VenuePaths
from ..system import lazy
from ..venue import Venue
from . import terms

if TYPE_CHECKING:
    from . import shared_venue
else:
    shared_venue = lazy.module("backstage.sharing.shared_venue")


def open_venue(path: str | Path) -> Venue:
    """The Venue at a path, as `Venue.open` or for a member of the group; raises what these do."""
    paths = VenuePaths(Path(path).expanduser().resolve())
    return shared_venue.SharedVenue(paths) if terms.is_shared(paths) else Venue.open(path)
