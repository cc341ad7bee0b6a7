"""Visitors who ask for a page again and again while something is done to the Act."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from backstage.errors import BackstageError


@contextmanager
def visited(ask: Callable[[], int], visitors: int = 4) -> Iterator[dict[str, int]]:
    """Count what is `answered` with 200, and what `failed`; `ask` returns an HTTP status."""
    counts = {"answered": 0, "failed": 0}
    done, lock = threading.Event(), threading.Lock()

    def visit() -> None:
        while not done.is_set():
            outcome = "failed"
            with suppress(OSError, BackstageError):
                outcome = "answered" if ask() == 200 else "failed"
            with lock:
                counts[outcome] += 1

    threads = [threading.Thread(target=visit) for _ in range(visitors)]
    for thread in threads:
        thread.start()
    try:
        yield counts
    finally:
        done.set()
        for thread in threads:
            thread.join()
