"""Which files have changed: by the kernel's word, or by looking again where it gives none."""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from . import lazy

if TYPE_CHECKING:
    from . import inotify
else:
    inotify = lazy.module("backstage.system.inotify")

_log = logging.getLogger("backstage")

# Even if nothing is told, everything is to be looked at this often, in seconds, so that nothing is
# missed and what was not there before is watched from now on …
INTERVAL = 1.0
# … and this often where the kernel cannot tell.
_POLL = 0.1


@dataclass(frozen=True)
class Change:
    """A file that may have changed, or a directory of which nothing closer is known.

    `complete` is False while somebody may still be writing in it.
    """

    path: Path
    complete: bool


class FileChanges:
    """Collects changes of files; `wake` is called when there are new ones, in a thread of its own.

    Watched are all files in the directories `contents`, those that come to and go from the
    directories `names`, and what is written into the files `writes`, as soon as they are there.
    Everything else is found by looking at it when `is_due` says so. Open and close it.
    """

    def __init__(
        self,
        top: Path,
        wake: Callable[[], None],
        *,
        contents: Collection[Path] = (),
        names: Collection[Path] = (),
        writes: Collection[Path] = (),
    ) -> None:
        """`top` is what a warning names where the kernel cannot tell."""
        self._top = top
        self._wake = wake
        self._contents = contents
        self._names = names
        self._writes = writes
        self._watch: inotify.Watch | None = None
        self._hints: list[inotify.Hint] = []
        self._lock = threading.Lock()
        self._due = -math.inf
        self.interval = INTERVAL

    def open(self) -> None:
        """Begin to watch; what changes from now on is told."""
        try:
            self._watch = inotify.Watch(self._on_hint)
        except OSError as error:
            self._fall_back(error)
        self._add_watches()

    def take(self) -> list[Change]:
        """The changes since the last time."""
        with self._lock:
            hints, self._hints = self._hints, []
        for hint in hints:
            if not hint.name and hint.path not in self._writes:
                # A directory has gone, or notices were lost.
                self._due = -math.inf
        return [Change(hint.path / hint.name, hint.complete) for hint in hints]

    def pause(self, now: float) -> float:
        """Seconds until everything is to be looked at, on the clock of `time.monotonic`."""
        return max(0.0, self._due - now)

    def is_due(self, now: float) -> bool:
        """Whether everything is to be looked at now; if so, the next time is an interval later."""
        if now < self._due:
            return False
        self._add_watches()
        self._due = now + self.interval
        return True

    def close(self) -> None:
        """End the thread and give every file descriptor back; a second time does nothing."""
        if self._watch:
            self._watch.close()
            self._watch = None

    def _add_watches(self) -> None:
        """Watch what is there, unless it is watched already."""
        if not self._watch:
            return
        try:
            for path in self._contents:
                self._watch.add(path, inotify.CONTENTS)
            for path in self._names:
                self._watch.add(path, inotify.NAMES)
            for path in self._writes:
                self._watch.add(path, inotify.WRITES)
        except OSError as error:
            self._fall_back(error)

    def _on_hint(self, hint: inotify.Hint) -> None:
        # Called by the watch in its own thread.
        with self._lock:
            self._hints.append(hint)
        self._wake()

    def _fall_back(self, error: OSError) -> None:
        self.interval = _POLL
        self.close()
        _log.warning(
            "%s is looked at every %g s, as the kernel cannot tell of changes there: %s",
            self._top,
            _POLL,
            error.strerror,
        )
