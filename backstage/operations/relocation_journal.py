"""What relocating a Venue has changed in it so far, on disk, so that it can be undone after a kill.

It is written before anything is changed, and removed when everything is done or undone.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from ..layout.paths import VenuePaths
from ..system import as_user, trust, users
from ..system.files import contents, write_atomically
from ..uwsgi import vassal_files
from . import upgrade_journal
from .relocation_plan import is_of_acts
from .upgrade_journal import Change


@dataclass(frozen=True, kw_only=True)
class Journal:
    """What to put back: files and links relative to the Venue, each link with both its targets.

    `pid` and `began` identify the process that relocates. `ran` tells whether it has stopped an
    Emperor that it is to start again.
    """

    pid: int
    began: float
    files: Mapping[str, Change]
    links: Mapping[str, tuple[str, str]]
    ran: bool = False

    def is_of_another(self, me: int) -> bool:
        """Whether another process than this one wrote it, and still relocates."""
        return self.pid != me and upgrade_journal.lives(self.pid, self.began)


def read(venue_paths: VenuePaths) -> Journal | None:
    """The journal of a relocation that is under way, or was killed."""
    try:
        told = json.loads(contents(venue_paths.relocation))
    except FileNotFoundError:
        return None
    files = {name: Change(**change) for name, change in told.pop("files").items()}
    links = {name: (before, after) for name, (before, after) in told.pop("links").items()}
    return Journal(files=files, links=links, **told)


def write(venue_paths: VenuePaths, journal: Journal) -> None:
    """Record what is about to be changed; a file may hold secrets."""
    write_atomically(venue_paths.relocation, json.dumps(asdict(journal)), mode=0o600)


def remove(venue_paths: VenuePaths) -> None:
    """Forget it: everything is done, or undone."""
    venue_paths.relocation.unlink(missing_ok=True)


def apply(venue_paths: VenuePaths, journal: Journal) -> None:
    """Make all the changes: links first, so that nothing is written through one."""
    for name, (_, after) in journal.links.items():
        _relink(venue_paths.top, venue_paths.top / name, after)
    for name, change in journal.files.items():
        path = venue_paths.top / name
        _as_owner(venue_paths.top, path, partial(_write, path, name, change))


def put_back(venue_paths: VenuePaths, journal: Journal) -> None:
    """Undo the changes that were made, but for what somebody else has changed since."""
    for name, change in journal.files.items():
        path = venue_paths.top / name
        _as_owner(
            venue_paths.top, path, partial(upgrade_journal.restore, venue_paths, name, change)
        )
    for name, (before, after) in journal.links.items():
        path = venue_paths.top / name
        if path.is_symlink() and str(path.readlink()) == after:
            _relink(venue_paths.top, path, before)


def _write(path: Path, name: str, change: Change) -> None:
    content = change.after.encode(errors="surrogateescape")
    if is_of_acts(name):
        vassal_files.write(path, content)
    else:
        write_atomically(path, content, mode=change.mode)


def _relink(top: Path, path: Path, target: str) -> None:
    _as_owner(top, path, partial(_replace_link, path, target))


def _replace_link(path: Path, target: str) -> None:
    part = path.with_name(f".{path.name}.{os.urandom(4).hex()}.part")
    part.symlink_to(target)
    try:
        part.replace(path)
    except BaseException:
        with suppress(OSError):
            part.unlink()
        raise


def _as_owner(top: Path, path: Path, task: Callable[[], object]) -> None:
    """Run what changes a file as the user who could replace its directory, if that is not root."""
    as_user.run_as(trust.first_stranger(path, top) if users.am_root() else None, task)
