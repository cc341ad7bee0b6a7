"""The modes of what this process creates: set, not inherited from the caller's umask."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

# Nobody but the owner may write.
_CLOSED = 0o022
_lock = threading.Lock()


class _Callers:
    umask = 0
    bodies = 0


@contextmanager
def closed() -> Iterator[None]:
    """While the body runs, nobody else can write what this process and its children create.

    A stricter umask stays. It holds for all threads, and until the last of several bodies ends.
    """
    with _lock:
        if not _Callers.bodies:
            # It can only be read by setting it.
            _Callers.umask = os.umask(0o077)
            os.umask(_Callers.umask | _CLOSED)
        _Callers.bodies += 1
    try:
        yield
    finally:
        with _lock:
            _Callers.bodies -= 1
            if not _Callers.bodies:
                os.umask(_Callers.umask)
