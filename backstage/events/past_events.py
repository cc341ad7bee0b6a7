"""Reading what has happened to the Acts of a Venue, as its watcher wrote it down."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

from ..layout.paths import VenuePaths
from ..logs.log_files import LogFile, rotated
from ..system.files import NOT_THERE
from . import lines
from .event import Event


def read(venue_paths: VenuePaths, since: float | None) -> Iterator[Event]:
    """The events from `since` on, the oldest first; those at the end may be incomplete."""
    with ExitStack() as closing:
        for file in _files(venue_paths, closing):
            if since is not None and file.modified < since:
                continue
            for line in file.lines():
                event = lines.event_of(line)
                if event and (since is None or event.at >= since):
                    yield event


def _files(venue_paths: VenuePaths, closing: ExitStack) -> list[LogFile]:
    """The file before the last rotation, then the present one, both open; either may be missing."""
    found: list[LogFile] = []
    # The present one first: if it is rotated meanwhile, it is found again, and nothing is missed.
    for path in (venue_paths.events, rotated(venue_paths.events)):
        try:
            file = LogFile(path)
        except OSError as error:
            if error.errno not in NOT_THERE:
                raise
            continue
        closing.callback(file.close)
        if not any(not other.is_replaced(path) for other in found):
            found.insert(0, file)
    return found
