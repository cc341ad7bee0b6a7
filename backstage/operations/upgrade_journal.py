"""What an upgrade has changed in a Venue so far, on disk, so that it can be undone after a kill.

It is written before anything is changed, and removed when everything is done or undone.
"""

from __future__ import annotations

import json
import stat
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from ..layout.paths import VenuePaths
from ..system import processes
from ..system.files import contents, remove_tree, write_atomically
from ..virtualenvs import private_copy
from . import venue_files


@dataclass(frozen=True)
class Change:
    """The texts of a file before and after the upgrade; None is no file."""

    before: str | None
    after: str
    mode: int


@dataclass(frozen=True, kw_only=True)
class Journal:
    """What to put back; `files` are relative to the Venue.

    `pid` and `began` identify the process that upgrades. `copy` is the private copy that was in
    use, `has_residents` tells whether the Venue had a place for a watcher. `ran` are the Acts that
    ran well, `restarted` those that have been told to restart; `emperor` tells whether the Emperor
    has been told to.
    """

    pid: int
    began: float
    files: Mapping[str, Change]
    copy: str
    has_residents: bool
    ran: tuple[str, ...] = ()
    restarted: tuple[str, ...] = ()
    emperor: bool = False

    def is_of_another(self, me: int) -> bool:
        """Whether another process than this one wrote it, and still upgrades."""
        return self.pid != me and lives(self.pid, self.began)


def lives(pid: int, began: float) -> bool:
    """Whether the process that began then still runs."""
    facts = processes.facts(pid)
    return facts is not None and facts.alive and facts.began == began


def read(venue_paths: VenuePaths) -> Journal | None:
    """The journal of an upgrade that is under way, or was killed."""
    try:
        told = json.loads(contents(venue_paths.upgrade))
    except FileNotFoundError:
        return None
    files = {name: Change(**change) for name, change in told.pop("files").items()}
    told.update(ran=tuple(told["ran"]), restarted=tuple(told["restarted"]))
    return Journal(files=files, **told)


def write(venue_paths: VenuePaths, journal: Journal) -> None:
    """Record what is about to be changed."""
    write_atomically(venue_paths.upgrade, json.dumps(asdict(journal)), mode=0o600)


def remove(venue_paths: VenuePaths) -> None:
    """Forget it: everything is done, or undone."""
    venue_paths.upgrade.unlink(missing_ok=True)


def text_of(path: Path) -> str | None:
    """The text of a file; None if there is none."""
    try:
        return contents(path).decode(errors="surrogateescape")
    except FileNotFoundError:
        return None


def change(venue_paths: VenuePaths, name: str, text: str) -> Change:
    """The change of a file that is about to get this text; it keeps its mode."""
    path = venue_paths.top / name
    before = text_of(path)
    mode = venue_files.mode_of(name) if before is None else stat.S_IMODE(path.stat().st_mode)
    return Change(before, text, mode)


def apply(venue_paths: VenuePaths, name: str, change: Change) -> None:
    """Write the new text of a file."""
    _write(venue_paths.top / name, change.after, change.mode)


def restore(venue_paths: VenuePaths, name: str, change: Change) -> None:
    """Put back the former text of a file, unless somebody else has changed it since."""
    path = venue_paths.top / name
    if text_of(path) != change.after:
        return
    if change.before is None:
        path.unlink()
    else:
        _write(path, change.before, change.mode)


def put_back(venue_paths: VenuePaths, journal: Journal) -> None:
    """Restore all files, but for those that somebody else has changed since."""
    for name, change in journal.files.items():
        restore(venue_paths, name, change)
    if not journal.has_residents:
        remove_tree(venue_paths.residents)
    private_copy.use(venue_paths, journal.copy)
    private_copy.remove_unused(venue_paths)


def _write(path: Path, text: str, mode: int) -> None:
    path.parent.mkdir(mode=0o755, exist_ok=True)
    write_atomically(path, text.encode(errors="surrogateescape"), mode=mode)
