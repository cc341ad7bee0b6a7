"""systemd runs this script: it stops the Emperor without the pauses that uWSGI makes.

An Emperor checks its ending vassals once a second, and so does a master with its workers. A signal
wakes either. Usage: end.py PID
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from pathlib import Path

# Longer than an Act may take to finish its requests, in seconds; systemd kills what is left.
PATIENCE = 40.0
PAUSE = 0.01


def main(emperor: int) -> None:
    """Return when the Emperor has ended, or after PATIENCE seconds."""
    end = time.monotonic() + PATIENCE
    with contextlib.suppress(ProcessLookupError):
        os.kill(emperor, signal.SIGTERM)
        while time.monotonic() < end and emperor in parents():
            for master in lonely(emperor):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(master, signal.SIGTERM)
            os.kill(emperor, signal.SIGWINCH)
            time.sleep(PAUSE)


def lonely(emperor: int) -> list[int]:
    """The masters whose last worker has ended: SIGTERM only wakes them then."""
    known = parents()
    busy = set(known.values())
    return [pid for pid, parent in known.items() if parent == emperor and pid not in busy]


def parents() -> dict[int, int]:
    """Every running process, with its parent."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                # proc(5): state and parent follow the name, which may contain anything.
                state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
                if state not in "ZX":
                    found[int(entry.name)] = int(parent)
    return found


main(int(sys.argv[1]))
