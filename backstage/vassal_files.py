"""The vassal file of an Act on disk: read, kept for the next start, put back, dated."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from . import files
from .paths import ActPaths
from .vassal import VassalFile

# Longer than any tick of a kernel's clock, in nanoseconds.
_TICK = 100_000_000


def act_of(file_name: str) -> str:
    """The Act that a file of this name is for; '' for backups, swap files and hidden ones."""
    name, _, suffix = file_name.rpartition(".")
    return name if suffix == "ini" and not name.startswith(".") else ""


def names(directory: Path) -> set[str]:
    """The Acts that have a file in `vassals/` or `kept/`."""
    with suppress(FileNotFoundError), os.scandir(directory) as entries:
        return {act_of(entry.name) for entry in entries if entry.is_file()} - {""}
    return set()


def load(act: ActPaths) -> VassalFile | None:
    """The Act's vassal file, the kept one while it is stopped; None where there is neither."""
    return current(act) or kept(act)


def current(act: ActPaths) -> VassalFile | None:
    """The file in `vassals/`, if it is there."""
    return _read(act.vassal)


def kept(act: ActPaths) -> VassalFile | None:
    """The file that a start would put back, if it is there."""
    return _read(act.kept)


def keep(act: ActPaths, file: VassalFile | None = None) -> None:
    """Remember the file in `vassals/`, as it is now or as it was read, hand edits and all.

    The kept file is never older than the other, so that what is put back later is newer than both.
    """
    file = file or current(act)
    if not file:
        return
    facts = act.vassal.stat()
    if file != kept(act):
        files.write_vassal(act.kept, file.text, not_before=facts.st_mtime - 1)
    elif act.kept.stat().st_mtime < facts.st_mtime:
        os.utime(act.kept, ns=(facts.st_mtime_ns, facts.st_mtime_ns))


def put_back(act: ActPaths) -> None:
    """Put the kept file into `vassals/`. Raises FileNotFoundError where none was kept."""
    text = act.kept.read_text(encoding="utf-8")
    files.write_vassal(act.vassal, text, not_before=act.kept.stat().st_mtime)


def refuse(act: ActPaths, fault: str) -> None:
    """Note why the file in `vassals/`, as it is now, is not used."""
    files.write_atomically(act.refused, f"{_version(act)}\n{fault}\n")


def refusal(act: ActPaths) -> str:
    """Why the file in `vassals/` is not used; '' unless it was refused as it is now."""
    try:
        version, _, fault = act.refused.read_text(encoding="utf-8").partition("\n")
        return fault.strip() if version == _version(act) else ""
    except FileNotFoundError:
        return ""


def date(act: ActPaths, mtime: int) -> None:
    """Give the file in `vassals/` an mtime, in nanoseconds since the epoch."""
    if act.vassal.stat().st_mtime_ns != mtime:
        os.utime(act.vassal, ns=(mtime, mtime))


def _version(act: ActPaths) -> str:
    facts = act.vassal.stat()
    return f"{facts.st_ino} {facts.st_size} {facts.st_mtime_ns}"


def _read(path: Path) -> VassalFile | None:
    try:
        facts = path.stat()
        version = (facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns)
        slot = _slot(path)
        if slot.held[0] == version:
            return slot.held[1]
        file = VassalFile(path.stem, path.read_text(encoding="utf-8", errors="replace"))
    except OSError:
        # None there, or none that can be read: a directory, another user's, a link to nowhere.
        return None
    # Two writes within a tick of the kernel's clock leave the same dates.
    if time.time_ns() - facts.st_ctime_ns > _TICK:
        slot.held = (version, file)
    return file


@dataclass
class _Slot:
    """The last version of one file, by its inode, size, mtime and ctime; replaced as one."""

    held: tuple[tuple[int, int, int, int] | None, VassalFile | None] = (None, None)


@lru_cache(maxsize=4096)
def _slot(path: Path) -> _Slot:
    return _Slot()
