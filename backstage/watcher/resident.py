"""What the watcher does: it reads the events of its Venue, which takes up edits by hand."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from ..errors import SettingsError
from ..events.event import Event
from ..layout.paths import VenuePaths
from ..layout.settings import read_settings
from ..system.files import hold_lock
from ..uwsgi import resident
from ..venue import Venue
from .emperor import Emperor

Handler = Callable[[Venue, Event], None]

# What is done with each event, in this order. A handler must return soon and not raise.
HANDLERS: tuple[Handler, ...] = ()

# How often the setting is read, in seconds.
_BEAT = 3.0


def watch(top: Path, emperor: Emperor) -> None:
    """Watch the Venue at `top` until this process is ended, or venue.yaml ends the watching."""
    paths = VenuePaths(top)
    if not hold_lock(paths.watcher_lock):
        sys.exit("another watcher runs")
    wish, venue = _Wish(paths), Venue(paths)
    with venue.events() as events:
        emperor.tell_ready()
        while not wish.is_off():
            if event := events.next_within(_BEAT):
                with emperor.waiting():
                    for handle in HANDLERS:
                        handle(venue, event)
    # Without its file, the Emperor does not start it again.
    resident.arrange(paths, wanted=False)


class _Wish:
    """What venue.yaml says of the watcher, read again when the file has changed."""

    def __init__(self, venue_paths: VenuePaths) -> None:
        self._settings = venue_paths.settings
        self._read: int | None = None

    def is_off(self) -> bool:
        """Whether the file has been changed to say so."""
        try:
            changed = self._settings.stat().st_mtime_ns
            if changed == self._read:
                return False
            self._read = changed
            return not read_settings(self._settings).watcher
        except (OSError, SettingsError):
            return False
