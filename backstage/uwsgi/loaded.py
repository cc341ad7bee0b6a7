"""What a running vassal has loaded, by its own record, and which edits it has not."""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from ..facts.untaken import Untaken
from ..layout.paths import ActPaths, VenuePaths
from ..system import files
from .vassal_files import TICK

# No record is longer, in bytes; the Act itself may have written something else.
_LONGEST = 65_536
# The first line before a reload: the hook in django.ini empties the record; an earlier one wrote a
# word.
_WITHDRAWN = frozenset({"", "-"})


@dataclass(frozen=True)
class Record:
    """What the master of a vassal has recorded: SHA-256 digests by path.

    `at` is when, in nanoseconds since the epoch. `withdrawn` means that the vassal is about to load
    the files again.
    """

    digests: Mapping[str, str] = field(default_factory=dict)
    at: int = 0
    withdrawn: bool = False


def record(act_paths: ActPaths, pid: int) -> Record | None:
    """The record of the master `pid`; None without one, as in a Venue of an older release."""
    found = _contents(act_paths)
    if found is None:
        return None
    text, at = found
    first, *lines = text.splitlines() or [""]
    if first in _WITHDRAWN:
        return Record(at=at, withdrawn=True)
    if first != str(pid):
        return None
    pairs = (line.partition("  ") for line in lines)
    digests = {path: digest for digest, _, path in pairs if _is_credible(act_paths, path)}
    return Record(digests, at)


def untaken(act_paths: ActPaths, recorded: Record | None) -> Untaken | None:
    """An edit that the vassal has not loaded, of its own file if any."""
    if recorded is None or recorded.withdrawn:
        return None
    own = str(act_paths.vassal)
    for path in (own, *sorted(recorded.digests.keys() - {own})):
        facts = _facts(path)
        if facts and _digest(path, facts) != recorded.digests.get(path):
            shown = _shown(act_paths.venue, Path(path))
            return Untaken(act_paths.name, shown, facts.st_ctime, is_own=path == own)
    return None


def is_loaded(act_paths: ActPaths, pid: int) -> bool | None:
    """Whether the vassal runs with its file as it is on disk; None if it has not recorded that."""
    recorded, own = record(act_paths, pid), str(act_paths.vassal)
    facts = _facts(own)
    if recorded is None or recorded.withdrawn or facts is None:
        return None
    return _digest(own, facts) == recorded.digests.get(own)


def withdraw(act_paths: ActPaths) -> None:
    """Note that the vassal is about to load its files again, if it keeps a record."""
    with suppress(OSError):
        descriptor = os.open(act_paths.loaded, os.O_WRONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
        with os.fdopen(descriptor, "w") as file:
            facts = os.fstat(descriptor)
            # An Act with its own user may have put a link to another file there.
            if stat.S_ISREG(facts.st_mode) and facts.st_nlink == 1:
                file.truncate()


def _is_credible(act_paths: ActPaths, path: str) -> bool:
    """Whether the file can be the Act's: an Act with its own user may name any file."""
    if not act_paths.own_run.is_dir():
        return True
    return path == str(act_paths.vassal) or os.path.dirname(path) == str(act_paths.venue.templates)


def _contents(act_paths: ActPaths) -> tuple[str, int] | None:
    """The text of the record and its mtime in nanoseconds."""
    try:
        content, facts = files.read_regular(act_paths.loaded, _LONGEST)
    except OSError:
        return None
    return content.decode(errors="replace"), facts.st_mtime_ns


def _facts(path: str) -> os.stat_result | None:
    try:
        return os.stat(path)  # noqa: PTH116
    except (OSError, ValueError):
        # No file, or no path: it may have a zero byte.
        return None


def _digest(path: str, facts: os.stat_result) -> str:
    """The digest of a file; '' if it cannot be read."""
    if time.time_ns() - facts.st_ctime_ns < TICK:
        # Another write within the same tick would leave the same facts.
        return _read(path)
    return _known(path, facts.st_ino, facts.st_size, facts.st_ctime_ns)


@lru_cache(maxsize=4096)
def _known(path: str, *_: int) -> str:
    return _read(path)


def _read(path: str) -> str:
    try:
        return hashlib.sha256(files.contents(Path(path))).hexdigest()
    except OSError:
        return ""


def _shown(venue_paths: VenuePaths, path: Path) -> str:
    inside = path.is_relative_to(venue_paths.top)
    return str(path.relative_to(venue_paths.top) if inside else path)
