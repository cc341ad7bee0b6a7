"""Examining the files that came with the library: whether they are of this version."""

from __future__ import annotations

from collections.abc import Iterator

from ..layout import shipped_files, shipped_record
from ..layout.paths import VenuePaths
from .finding import Finding, Remedy, note, ok, warning

_FILES = "files"
_UPGRADE = Remedy(command="backstage upgrade")


def examine(venue_paths: VenuePaths) -> Iterator[Finding]:
    """Whether an upgrade is due, or was cut short."""
    if venue_paths.upgrade.exists():
        what = "an upgrade is under way, or was killed; repeated, it is undone, then done"
        yield warning(_FILES, what, _UPGRADE)
    elif shipped_record.read(venue_paths).shipped != shipped_files.digest():
        yield note(_FILES, "what came with Backstage is of another version", _UPGRADE)
    else:
        yield ok(_FILES, "what came with Backstage is of this version")
