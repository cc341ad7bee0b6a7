"""What the watcher does: it reads the events of its Venue, which takes up edits by hand."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

from ..errors import SettingsError
from ..layout.paths import VenuePaths
from ..layout.settings import read_settings
from ..system.files import hold_lock
from ..uwsgi import resident
from ..venue import Venue
from . import chronicle
from .chronicle import Chronicle, Gap
from .emperor import Emperor

# How often the setting is read, in seconds.
_BEAT = 3.0


def watch(top: Path, emperor: Emperor) -> None:
    """Watch the Venue at `top` until this process is ended, or venue.yaml ends the watching."""
    paths = VenuePaths(top)
    left = chronicle.last_alive(paths)
    if not hold_lock(paths.watcher_lock):
        sys.exit("another watcher runs")
    wish, venue, history = _Wish(paths), Venue(paths), Chronicle(paths)
    with venue.events() as events:
        emperor.tell_ready()
        with emperor.waiting():
            history.begin(events.began, Gap.until_now(left, venue.emperor.pid))
        emperor.farewell = partial(chronicle.show_alive, paths)
        while not wish.is_off():
            event = events.next_within(_BEAT)
            with emperor.waiting():
                if event:
                    history.note(event)
                history.beat()
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
