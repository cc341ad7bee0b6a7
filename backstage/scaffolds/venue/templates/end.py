"""systemd runs this script: it stops the Emperor without the pauses that uWSGI makes.

An Emperor checks its ending vassals once a second, and so does a master with its workers. A signal
wakes either. With SECONDS, the Acts' health paths say so long before that they are drained, so that
visitors are sent elsewhere. Usage: end.py PID [SECONDS]
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
VENUE = Path(__file__).resolve().parents[1]


def main(emperor: int, drain: float) -> None:
    """Drain the Acts for `drain` seconds, then end the Emperor."""
    marks = drained() if drain else []
    try:
        time.sleep(drain)
        stop(emperor)
    finally:
        for mark in marks:
            mark.unlink(missing_ok=True)


def drained() -> list[Path]:
    """Mark every Act as drained that is not yet; return the new marks."""
    marks = []
    for vassal in VENUE.glob("vassals/[!.]*.ini"):
        mark = VENUE / "run" / f"{vassal.stem}.drain"
        with contextlib.suppress(OSError):
            os.close(os.open(mark, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644))
            marks.append(mark)
    return marks


def stop(emperor: int) -> None:
    """Return when the Emperor has ended, or after PATIENCE seconds."""
    end = time.monotonic() + PATIENCE
    seen_at_work: set[int] = set()
    with contextlib.suppress(ProcessLookupError):
        os.kill(emperor, signal.SIGTERM)
        while time.monotonic() < end and emperor in (known := parents()):
            at_work = set(known.values())
            for master in masters(known, emperor) & seen_at_work - at_work:
                # Its last worker has ended, so that this only wakes it. One that has had no worker
                # yet may be a fork of the Emperor, or hang where it writes to its log.
                with contextlib.suppress(ProcessLookupError):
                    os.kill(master, signal.SIGTERM)
            seen_at_work |= at_work
            os.kill(emperor, signal.SIGWINCH)
            time.sleep(PAUSE)


def masters(known: dict[int, int], emperor: int) -> set[int]:
    return {pid for pid, parent in known.items() if parent == emperor}


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


main(int(sys.argv[1]), float(sys.argv[2]) if len(sys.argv) > 2 else 0.0)
