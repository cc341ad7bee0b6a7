"""The moment at which a process gets its next child, seen from a separate process.

`python -m benchmarks.births PID` prints a line once it is watching, then that moment.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from .stage import Process, Stage

_PAUSE = 0.0002


def watch_births(stage: Stage, parent: int) -> Process:
    """Start watching; returns when no later child of `parent` can be missed."""
    watcher = stage.python("-m", "benchmarks.births", str(parent))
    assert watcher.stdout is not None
    watcher.stdout.readline()
    return watcher


def seen_birth(stage: Stage, watcher: Process) -> float:
    """The moment when the child appeared, on the monotonic clock."""
    return float(stage.finish(watcher))


def main(parent: int) -> None:
    children = Path(f"/proc/{parent}/task/{parent}/children")
    before = set(children.read_text().split())
    print("watching", flush=True)
    while set(children.read_text().split()) <= before:
        time.sleep(_PAUSE)
    print(time.monotonic())


if __name__ == "__main__":
    main(int(sys.argv[1]))
