"""What a vassal and the Emperor tell each other, one byte at a time (uWSGI's core/emperor.c)."""

from __future__ import annotations

import os
import select
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

# The vassal runs; and it has proved itself, so that it is started again at once if it dies.
_READY, _LOYAL = b"\1", b"\21"
# How long it has to run for that, in seconds.
_PROVEN = 3.0
# How long the end of this process is put off for work that must not be cut short, in seconds.
_MERCY = 1.0


class Emperor:
    """The Emperor at the other end of a socket."""

    def __init__(self, descriptor: int) -> None:
        os.set_inheritable(descriptor, False)
        self._descriptor = descriptor
        self._work = threading.Lock()
        # Called last when the Emperor ends this process.
        self.farewell: Callable[[], None] = lambda: None

    def obey(self) -> None:
        """From now on, end this process when the Emperor says anything, or is gone.

        It only ends or reloads us, and nothing else may delay that: an Emperor that ends answers no
        questions.
        """
        threading.Thread(target=self._obey, daemon=True).start()

    def tell_ready(self) -> None:
        """Tell the Emperor that this vassal does its work."""
        with suppress(BrokenPipeError):
            os.write(self._descriptor, _READY)

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Let the body finish before this process ends, if that takes less than a second."""
        with self._work:
            yield

    def _obey(self) -> None:
        with suppress(BrokenPipeError):
            if not select.select([self._descriptor], [], [], _PROVEN)[0]:
                os.write(self._descriptor, _LOYAL)
                select.select([self._descriptor], [], [])
        self._work.acquire(timeout=_MERCY)
        self.farewell()
        os._exit(0)
