"""The register of this host's Venues, and the locks that they share."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

from ..errors import NotAVenue
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
    """Every registered Venue that still exists."""
    for entry in sorted(_registry().glob("*.venue")):
        try:
            path = Path(entry.read_text(encoding="utf-8").rstrip("\n"))
        except FileNotFoundError:  # another process has just removed it
            continue
        if (path / "venue.yaml").exists():
            yield path


def venue_above(here: Path) -> Path:
    """The Venue that contains a directory, at any depth. Raises NotAVenue."""
    for directory in (here, *here.parents):
        if (directory / "venue.yaml").exists() and (directory / "pyvenv.cfg").exists():
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


def _registry() -> Path:
    return state_directory() / "venues"


def _digest(path: Path) -> str:
    return hashlib.sha256(str(path).encode()).hexdigest()[:16]


def _base(variable: str, below_home: str) -> Path:
    configured = os.environ.get(variable, "")
    # The XDG specification says to ignore relative paths.
    base = Path(configured) if configured.startswith("/") else Path.home() / below_home
    return base / "django-backstage"
