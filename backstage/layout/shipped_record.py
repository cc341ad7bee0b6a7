"""The record of the texts that were written into a Venue, so that later edits show.

Venues of version 0.1.0 have none until they are upgraded.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from ..system.files import contents, make_private, write_atomically
from .paths import VenuePaths


@dataclass(frozen=True)
class Record:
    """The texts by file, relative to the Venue, the last one written last.

    A file that was edited has the one that was edited, then the new ones. `version` is that of the
    library that wrote the last ones. `shipped` is the digest of everything that it ships, '' if the
    Venue did not get all of it.
    """

    version: str = ""
    shipped: str = ""
    texts: Mapping[str, list[str]] = field(default_factory=dict)


def read(venue_paths: VenuePaths) -> Record:
    """The record of a Venue; an empty one if there is none, or none that can be read."""
    try:
        return Record(**json.loads(contents(venue_paths.shipped)))
    except (OSError, ValueError, TypeError):
        return Record()


def write(venue_paths: VenuePaths, record: Record) -> None:
    """Replace the record."""
    make_private(venue_paths.own)
    write_atomically(venue_paths.shipped, json.dumps(asdict(record)))
