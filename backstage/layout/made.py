"""Where a Venue was made: the path that its programs and files name, and what it is known by.

Venues that an earlier version made have no record until they are upgraded; what they run names the
path as well.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from ..errors import VenueMoved
from ..system.files import make_private, open_regular, write_atomically
from .paths import VenuePaths

_MACHINE = Path("/etc/machine-id")
_VENUE = re.compile(r"^venue='(/[^'\n]*)'$", re.MULTILINE)
_VERSION = re.compile(r"^version(?:_info)? *= *(\d+\.\d+\.\d+)", re.MULTILINE)
# Longer than any of these files, in bytes.
_LONGEST = 65536


@dataclass(frozen=True)
class Made:
    """The path where a Venue was made, or was relocated to last.

    A copy has the `id` of its original until it is relocated; '' without a record. `machine` is the
    machine-id of the host, '' if it has none. `python` is the release of the environment's Python.
    `former` is the path before, while something outside of the Venue may still name that.
    """

    path: Path
    id: str = ""
    machine: str = ""
    python: str = ""
    former: str = ""


def here(venue_paths: VenuePaths, known_by: str = "") -> Made:
    """The record of a Venue that is made here and now; with a new id unless one is given."""
    version = _VERSION.search(_text(venue_paths.top / "pyvenv.cfg"))
    return Made(
        path=venue_paths.top,
        id=known_by or os.urandom(16).hex(),
        machine=_text(_MACHINE).strip(),
        python=version[1] if version else "",
    )


def text_of(made: Made) -> str:
    """The record as it is written."""
    return json.dumps({**asdict(made), "path": str(made.path)})


def write(venue_paths: VenuePaths, made: Made) -> None:
    """Replace the record."""
    make_private(venue_paths.own)
    write_atomically(venue_paths.made, text_of(made), mode=0o600)


def read(venue_paths: VenuePaths) -> Made | None:
    """The record of a Venue or, without one, what its `templates/launch` says; None if neither."""
    try:
        told = json.loads(_text(venue_paths.made))
        path, *facts = (str(told[field.name]) for field in fields(Made))
        if path.startswith("/"):
            return Made(Path(path), *facts)
    except (ValueError, KeyError, TypeError, RecursionError):
        pass
    found = _VENUE.search(_text(venue_paths.launch))
    return Made(Path(found[1])) if found else None


def refuse_elsewhere(venue_paths: VenuePaths) -> None:
    """Raise VenueMoved for a Venue that was made at another path: its programs name that one."""
    made = read(venue_paths)
    if made and not is_at(made.path, venue_paths.top):
        is_copy = has_original(made, venue_paths.top)
        raise VenueMoved(venue_paths.top, made.path, is_copy=is_copy)


def is_at(path: Path, top: Path) -> bool:
    """Whether these are one directory: one may be a bind mount, or led to by a link."""
    if path == top:
        return True
    try:
        return path.samefile(top)
    except OSError:
        return False


def has_original(made: Made, top: Path) -> bool:
    """Whether the Venue that the one at `top` was copied from is still where it was made.

    Also if that cannot be seen: what belongs to another Venue is then left alone.
    """
    try:
        if is_at(made.path, top) or not (made.path / "venue.yaml").exists():
            return False
    except OSError:
        return True
    other = read(VenuePaths(made.path))
    return other is None or other.id == made.id or not (other.id and made.id)


def _text(path: Path) -> str:
    """The beginning of a file, as text; '' if it cannot be read."""
    try:
        with os.fdopen(open_regular(path), "rb") as file:
            return file.read(_LONGEST).decode(errors="surrogateescape")
    except OSError:
        return ""
