"""The vassal file of an Act on disk: read it, keep it for the next start, put it back, date it."""

from __future__ import annotations

import json
import math
import os
import stat
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path

from ..facts import checked
from ..facts.faults import Fault
from ..layout.paths import ActPaths
from ..system import files
from .ini import VassalFile

_NANO = 1_000_000_000
# Longer than any tick of the kernel's clock, in nanoseconds.
TICK = 100_000_000
# A file that is open for writing but has not changed for this long, in nanoseconds, counts as is.
_AT_REST = _NANO
# A file is dated at least this many seconds back: the Emperor, which compares whole seconds, then
# notices even an edit that follows at once.
_BACK = 2


@dataclass(frozen=True)
class Version:
    """A vassal file on disk: its inode, its size and its mtime in nanoseconds since the epoch."""

    inode: int
    size: int
    mtime: int

    @property
    def second(self) -> int:
        """The mtime in whole seconds, as the Emperor compares it."""
        return self.mtime // _NANO

    def dated(self, second: int) -> int:
        """The same mtime moved to that second; vim ignores a change by whole seconds."""
        return second * _NANO + self.mtime % _NANO


class Overtaken(Exception):
    """Raised when a vassal file was changed in the meantime."""


def act_of(file_name: str) -> str:
    """The Act whose vassal file has this name; '' for backups, swap files and hidden files."""
    name, _, suffix = file_name.rpartition(".")
    return name if suffix == "ini" and not name.startswith(".") else ""


def names(directory: Path) -> set[str]:
    """The Acts that have a file in `vassals/` or `kept/`."""
    with suppress(FileNotFoundError), os.scandir(directory) as entries:
        return {act_of(entry.name) for entry in entries if is_there(entry)} - {""}
    return set()


def is_there(entry: os.DirEntry[str] | Path) -> bool:
    """Whether this is a vassal file that can be reached."""
    try:
        # Path.is_file() takes several times as long.
        return os.path.isfile(entry) if isinstance(entry, Path) else entry.is_file()  # noqa: PTH113
    except OSError:
        # A link to itself, or into a directory that may not be entered.
        return False


def load(act_paths: ActPaths) -> VassalFile | None:
    """The Act's vassal file, or the kept one while it is stopped; None if there is neither."""
    return current(act_paths) or kept(act_paths)


def current(act_paths: ActPaths) -> VassalFile | None:
    """The file in `vassals/`, if it exists; while it is being written, its previous content."""
    return read(act_paths.vassal)


def version(act_paths: ActPaths) -> Version | None:
    """The version of the file in `vassals/`, if it exists and can be reached."""
    try:
        facts = act_paths.vassal.stat()
    except OSError:
        return None
    return _version_of(facts)


def _version_of(facts: os.stat_result) -> Version:
    return Version(facts.st_ino, facts.st_size, facts.st_mtime_ns)


def versions(directory: Path) -> dict[str, Version]:
    """The versions of all files in `vassals/`, by Act; faster than one after the other."""
    found = {}
    with suppress(FileNotFoundError), os.scandir(directory) as entries:
        for entry in entries:
            with suppress(OSError):
                if (name := act_of(entry.name)) and entry.is_file():
                    found[name] = _version_of(entry.stat())
    return found


def is_being_written(act_paths: ActPaths) -> bool:
    """Whether the file in `vassals/` is open for writing and changed within the last second."""
    try:
        files.read_whole(act_paths.vassal)
    except BlockingIOError:
        with suppress(FileNotFoundError):
            return not _rests(act_paths.vassal.stat())
    except OSError:
        pass
    return False


def kept(act_paths: ActPaths) -> VassalFile | None:
    """The file that a start would put back, if it exists."""
    return read(act_paths.kept)


def keep(act_paths: ActPaths, file: VassalFile | None = None) -> None:
    """Keep `file`, or else the file now in `vassals/`, including edits by hand."""
    file = file or current(act_paths)
    if file and file != kept(act_paths):
        facts = act_paths.vassal.stat()
        write(act_paths.kept, file.text, mtime=facts.st_mtime, mode=stat.S_IMODE(facts.st_mode))


def put_away(act_paths: ActPaths) -> None:
    """Move the file in `vassals/`, if there is one, to where a start will find it.

    At one stroke, so that no edit by hand comes between: a program that is just writing into the
    file writes on into the kept one. Of a link the target is kept, and what cannot be read is not.
    """
    path = act_paths.vassal
    if path.is_symlink() or not is_there(path) or not os.access(path, os.R_OK):
        keep(act_paths)
        path.unlink(missing_ok=True)
        return
    try:
        path.replace(act_paths.kept)
    except FileNotFoundError:
        if is_there(path):
            raise


def put_back(act_paths: ActPaths) -> None:
    """Put the kept file into `vassals/`, with its date and its permissions.

    Raises FileNotFoundError without one.
    """
    content, facts = files.contents(act_paths.kept), act_paths.kept.stat()
    write(act_paths.vassal, content, mtime=facts.st_mtime, mode=stat.S_IMODE(facts.st_mode))


def write(path: Path, content: str | bytes, *, mtime: float = math.inf, mode: int = 0o644) -> None:
    """Write a vassal file; it keeps the permissions of the file that it replaces, or gets `mode`.

    `mtime` is in seconds since the epoch; the file is never dated later than two seconds ago.
    """
    mode = stat.S_IMODE(path.stat().st_mode) if is_there(path) else mode
    latest = math.floor(time.time()) - _BACK
    files.write_atomically(path, content, mode=mode, mtime=min(mtime, latest))


def refuse(act_paths: ActPaths, refused: Version, fault: Fault) -> None:
    """Record why this version of the file in `vassals/` is not used."""
    noted = {"version": asdict(refused), "fault": asdict(fault)}
    files.write_atomically(act_paths.refused, json.dumps(noted), mode=0o600)


def refusal(act_paths: ActPaths) -> Fault | None:
    """Why the file in `vassals/` is not used; None unless its present version was refused."""
    try:
        noted = json.loads(files.contents(act_paths.refused))
        is_present = Version(**noted["version"]) == version(act_paths)
        return _fault(noted["fault"]) if is_present else None
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, RecursionError):
        # An older release recorded it as plain text; without a record, the edit is tried again.
        return None


def _fault(noted: dict[str, object]) -> Fault:
    line = noted["line"]
    return Fault(
        file=checked.text(noted["file"]),
        line=None if line is None else checked.number(line),
        key=checked.text(noted["key"]),
        what=checked.text(noted["what"]),
        remedy=checked.text(noted["remedy"]),
    )


def date(act_paths: ActPaths, present: Version, mtime: int) -> Version:
    """Give the file in `vassals/` an mtime, in nanoseconds since the epoch.

    Returns its new version. A file of another user is replaced by a copy of our own, as only its
    owner can date it; the target of a link keeps its mtime then. Raises Overtaken if the file is no
    longer the version `present`.
    """
    if version(act_paths) != present:
        raise Overtaken
    if present.mtime == mtime:
        return present
    try:
        os.utime(act_paths.vassal, ns=(mtime, mtime))
    except PermissionError:
        return present if act_paths.vassal.is_symlink() else _make_own(act_paths, present, mtime)
    return replace(present, mtime=mtime)


def _make_own(act_paths: ActPaths, present: Version, mtime: int) -> Version:
    path = act_paths.vassal
    data, facts = files.contents(path), path.stat()
    if _version_of(facts) != present:
        raise Overtaken
    files.write_atomically(path, data, mode=stat.S_IMODE(facts.st_mode), mtime=mtime // _NANO)
    # Exactly: a float has no room for nanoseconds.
    os.utime(path, ns=(mtime, mtime))
    return replace(present, inode=path.stat().st_ino, mtime=mtime)


def read(path: Path) -> VassalFile | None:
    """The file at a path, if it exists; while it is being written, its previous content."""
    try:
        facts = path.stat()
        version = (facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns)
        slot = _slot(path)
        if slot.held[0] == version:
            return slot.held[1]
        try:
            data = files.read_whole(path)
        except BlockingIOError:
            if not _rests(facts):
                return slot.held[1]
            data = files.contents(path)
        file = VassalFile(path.stem, data.decode(errors="replace"))
        if file == slot.held[1]:
            file = slot.held[1]
    except OSError:
        # Missing or unreadable: a directory, another user's file, a dangling link.
        return None
    # Two writes within one tick of the kernel's clock leave the same timestamps.
    is_sure = time.time_ns() - facts.st_ctime_ns > TICK
    slot.held = (version if is_sure else None, file)
    return file


def _rests(facts: os.stat_result) -> bool:
    return time.time_ns() - facts.st_ctime_ns > _AT_REST


@dataclass
class _Slot:
    """The last content of one file, with its inode, size, mtime and ctime if they identify it."""

    held: tuple[tuple[int, int, int, int] | None, VassalFile | None] = (None, None)


@lru_cache(maxsize=4096)
def _slot(path: Path) -> _Slot:
    return _Slot()
