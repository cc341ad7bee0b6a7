"""The register of this host's Venues, and the locks that they share."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

from ..errors import NotAVenue, SystemRefused
from ..facts.advice import FIRST_VENUE
from ..system.files import write_atomically
from ..system.locks import locked


def state_directory() -> Path:
    """The directory of this user's register: `$XDG_STATE_HOME/django-backstage`."""
    return _base("XDG_STATE_HOME", ".local/state")


def cache_directory() -> Path:
    """The directory of cached environments: `$XDG_CACHE_HOME/django-backstage`."""
    return _base("XDG_CACHE_HOME", ".cache")


def register(venue: Path) -> None:
    """Register a Venue, so that other Venues avoid its ports."""
    entry = _registry() / f"{_digest(venue)}.venue"
    if not entry.exists():
        entry.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_atomically(entry, f"{venue}\n", mode=0o600)


def forget(venue: Path) -> None:
    """Remove a Venue from the register."""
    (_registry() / f"{_digest(venue)}.venue").unlink(missing_ok=True)


def venues() -> Iterator[Path]:
    """Every registered Venue that still exists and that this user can reach."""
    for entry in _entries():
        try:
            path = Path(entry.read_text(encoding="utf-8").rstrip("\n"))
            is_there = (path / "venue.yaml").exists()
        except (OSError, ValueError):
            # Another process has just removed it, or it is no entry; or the Venue is another's.
            continue
        if is_there:
            yield path


def venue_above(here: Path) -> Path:
    """The Venue that contains a directory, at any depth. Raises NotAVenue."""
    for directory in (here, *here.parents):
        if os.path.exists(directory / "venue.yaml") and os.path.exists(directory / "pyvenv.cfg"):
            return directory
    raise NotAVenue(here, "is not inside a Venue", FIRST_VENUE)


def choosing_ports() -> AbstractContextManager[None]:
    """The lock for choosing and recording ports."""
    return locked(state_directory() / "ports.lock", "choosing a port")


def building(venue: Path) -> AbstractContextManager[None]:
    """The lock for building the Venue at a path; the lock file is outside that path."""
    return locked(state_directory() / "locks" / f"{_digest(venue)}.lock", f"building {venue}")


def installing_units() -> AbstractContextManager[None]:
    """The lock for naming and writing units."""
    return locked(state_directory() / "units.lock", "installing a unit")


def absolute(path: str | Path) -> Path:
    """A path from the root, without links and `~`. Raises NotAVenue if there is no such path."""
    try:
        return Path(path).expanduser().resolve()
    except (RuntimeError, ValueError) as error:
        # A user without a home, a loop of links, or a byte that no path can have.
        raise NotAVenue(Path(path), f"is no path: {error}") from error
    except FileNotFoundError as error:
        raise _lost() from error


def here() -> Path:
    """The current directory. Raises NotAVenue if it has been removed."""
    try:
        return Path.cwd()
    except FileNotFoundError as error:
        raise _lost() from error


def _lost() -> NotAVenue:
    return NotAVenue(Path(), "is a directory that was removed; change into another one: cd")


def _entries() -> list[Path]:
    """The files of the register; none if there is no register, or none that can be read."""
    try:
        return sorted(_registry().glob("*.venue"))
    except OSError:
        return []


def _registry() -> Path:
    return state_directory() / "venues"


def _digest(path: Path) -> str:
    return hashlib.sha256(str(path).encode()).hexdigest()[:16]


def _base(variable: str, below_home: str) -> Path:
    configured = os.environ.get(variable, "")
    # The XDG specification says to ignore relative paths.
    base = Path(configured) if configured.startswith("/") else _home() / below_home
    return base / "django-backstage"


def _home() -> Path:
    try:
        return Path.home()
    except RuntimeError as error:
        # No HOME, and a uid that has no user.
        told = OSError(errno.ENOENT, "this user has no home directory, and HOME is not set")
        raise SystemRefused("", told, "Set it, for example: export HOME=/tmp") from error
