"""What the processes of a Venue have open in common, as the kernel knows it."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import psutil

# Whoever holds these holds nothing.
_HARMLESS = {"/dev/null"}


def opened(pid: int) -> dict[int, str]:
    """The descriptors of a process and what each leads to: files, pipes and sockets by number."""
    found = {}
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            found[int(entry.name)] = str(entry.readlink())
    return found


def inherited(emperor: int) -> dict[str, set[str]]:
    """What descendants of the Emperor have open of what it has open itself, by their commands."""
    own = set(opened(emperor).values()) - _HARMLESS
    own = {what for what in own if not what.startswith("anon_inode:")}
    found = {}
    for process in psutil.Process(emperor).children(recursive=True):
        with suppress(psutil.NoSuchProcess, FileNotFoundError):
            command = " ".join(process.cmdline())
            found[f"{process.pid} {command}"] = set(opened(process.pid).values()) & own
    return {who: what for who, what in found.items() if what}
