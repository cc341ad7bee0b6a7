"""Find out which files have changed: by inotify or, if that is unavailable, by polling."""

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

# Even without notifications, everything is checked at this interval, in seconds, so that nothing is
# missed and new files and directories are watched from then on …
INTERVAL = 2.0
# … and at this interval where inotify is unavailable.
_POLL = 0.1


@dataclass(frozen=True)
class Change:
    """A file that may have changed, or a directory in which anything may have.

    `complete` is False if it may still be open for writing.
    """

    path: Path
    complete: bool


class FileChanges:
    """Collects changes of files; calls `wake` from its own thread when there are new ones.

    It watches all changes of files in the directories `contents`, files that are created in or
    removed from the directories `names`, and writes to the files `writes`, as soon as these exist.
    The caller has to check everything else when `is_due` says so. Open and close it.
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
        """`top` is the directory named in the warning if inotify is unavailable."""
        self._top = top
        self._wake = wake
        self._contents = contents
        self._names = names
        self._writes = writes
        self._watch: inotify.Watch | None = None
        self._hints: list[inotify.Hint] = []
        self._lock = threading.Lock()
        self._due = -math.inf
        self._lost = self._was_lost = False
        self.interval = INTERVAL

    def open(self) -> None:
        """Start watching; changes from now on are reported."""
        try:
            self._watch = inotify.Watch(self._on_hint)
        except OSError as error:
            self._fall_back(error)
        self._add_watches()

    def take(self) -> list[Change]:
        """The changes since the last call."""
        with self._lock:
            hints, self._hints = self._hints, []
        for hint in hints:
            if not hint.name and hint.path not in self._writes:
                # A directory is gone, or notifications were lost.
                self._due = -math.inf
                self._lost = True
        return [Change(hint.path / hint.name, hint.complete) for hint in hints]

    def pause(self, now: float) -> float:
        """Seconds until the next full check, on the clock of `time.monotonic`."""
        return max(0.0, self._due - now)

    @property
    def is_reliable(self) -> bool:
        """Whether every change since the full check before the present one was reported."""
        return self._watch is not None and not self._was_lost

    def is_due(self, now: float) -> bool:
        """Whether a full check is due now; if so, the next one is due an interval later."""
        if now < self._due:
            return False
        self._add_watches()
        self._due = now + self.interval
        self._was_lost, self._lost = self._lost, False
        return True

    def close(self) -> None:
        """End the thread and close all file descriptors; further calls do nothing."""
        if self._watch:
            self._watch.close()
            self._watch = None

    def _add_watches(self) -> None:
        """Watch every path that exists and is not watched yet."""
        if not self._watch:
            return
        try:
            for path in self._contents:
                self._lost |= self._watch.add(path, inotify.CONTENTS)
            for path in self._names:
                self._lost |= self._watch.add(path, inotify.NAMES)
            for path in self._writes:
                self._lost |= self._watch.add(path, inotify.WRITES)
        except OSError as error:
            self._fall_back(error)

    def _on_hint(self, hint: inotify.Hint) -> None:
        # Called from the watch's own thread.
        with self._lock:
            self._hints.append(hint)
        self._wake()

    def _fall_back(self, error: OSError) -> None:
        self.interval = _POLL
        self.close()
        _log.warning(
            "checking %s for changes every %g s, because inotify is unavailable: %s",
            self._top,
            _POLL,
            error.strerror,
        )
