"""What the watcher does: it reads the events of its Venue, which takes up edits by hand."""

from __future__ import annotations

import sys
from contextlib import suppress
from functools import partial
from pathlib import Path

from ..errors import SettingsError
from ..layout.paths import VenuePaths
from ..layout.settings import Settings, read_settings
from ..system.files import hold_lock
from ..uwsgi import resident
from ..venue import Venue
from . import chronicle
from .chronicle import Chronicle, Gap
from .desk import Desk
from .emperor import Emperor
from .notifier import Notifier

# How often the setting is read, in seconds.
_BEAT = 3.0


def watch(top: Path, emperor: Emperor) -> None:
    """Watch the Venue at `top` until this process is ended, or venue.yaml ends the watching."""
    paths = VenuePaths(top)
    left = chronicle.last_alive(paths)
    if not hold_lock(paths.watcher_lock):
        sys.exit("another watcher runs")
    wish, venue, history = _Wish(paths), Venue(paths), Chronicle(paths)
    notifier = Notifier(paths, lambda: wish.settings.notify)
    desk = Desk(paths)
    with venue.events() as events:
        emperor.tell_ready()
        with emperor.waiting():
            history.begin(events.began, Gap.until_now(paths, left, venue.emperor.pid))
            notifier.begin(events.began)
        emperor.farewell = partial(chronicle.show_alive, paths)
        while not wish.is_off():
            desk.arrange(wish.settings.group)
            event = events.next_within(min(_BEAT, notifier.pause))
            with emperor.waiting():
                if event:
                    history.note(event)
                    notifier.note(event)
                history.beat()
                notifier.beat()
    desk.arrange("")
    # Without its file, the Emperor does not start it again.
    resident.arrange(paths, wanted=False)


class _Wish:
    """What venue.yaml says, read again when the file has changed; the last that it said if it is
    wrong now."""

    def __init__(self, venue_paths: VenuePaths) -> None:
        self._path = venue_paths.settings
        self._read: int | None = None
        self._settings = Settings()

    @property
    def settings(self) -> Settings:
        with suppress(OSError):
            changed = self._path.stat().st_mtime_ns
            if changed != self._read:
                with suppress(SettingsError):
                    self._settings = read_settings(self._path)
                self._read = changed
        return self._settings

    def is_off(self) -> bool:
        """Whether it says that there is to be no watcher."""
        return not self.settings.watcher
