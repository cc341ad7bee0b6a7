"""What the Venues of this host know of each other: where they are, and who chooses a port now."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

from ..errors import NotAVenue
from ..system.files import write_atomically
from ..system.locks import locked


def state_directory() -> Path:
    """Where this user's Venues are registered: `$XDG_STATE_HOME/django-backstage`."""
    return _base("XDG_STATE_HOME", ".local/state")


def cache_directory() -> Path:
    """Where ready environments are kept: `$XDG_CACHE_HOME/django-backstage`."""
    return _base("XDG_CACHE_HOME", ".cache")


def register(venue: Path) -> None:
    """Note a Venue, so that other Venues keep clear of its ports."""
    entry = _registry() / f"{_digest(venue)}.venue"
    if not entry.exists():
        entry.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_atomically(entry, f"{venue}\n", mode=0o600)


def forget(venue: Path) -> None:
    """Take a Venue off the register."""
    (_registry() / f"{_digest(venue)}.venue").unlink(missing_ok=True)


def venues() -> Iterator[Path]:
    """Every Venue that was ever registered and is still there."""
    for entry in sorted(_registry().glob("*.venue")):
        try:
            path = Path(entry.read_text(encoding="utf-8").rstrip("\n"))
        except FileNotFoundError:  # forgotten by another program just now
            continue
        if (path / "venue.yaml").exists():
            yield path


def venue_above(here: Path) -> Path:
    """The Venue that a directory lies in, at whatever depth. Raises NotAVenue."""
    for directory in (here, *here.parents):
        if (directory / "venue.yaml").exists() and (directory / "pyvenv.cfg").exists():
            return directory
    raise NotAVenue(here, "lies in no Venue; go into one, or use_venue(path)")


def choosing_ports() -> AbstractContextManager[None]:
    """The lock under which ports are chosen and written down."""
    return locked(state_directory() / "ports.lock", "choosing a port")


def building(venue: Path) -> AbstractContextManager[None]:
    """The lock under which the Venue at a path is built; it lies outside of that path."""
    return locked(state_directory() / "locks" / f"{_digest(venue)}.lock", f"building {venue}")


def installing_units() -> AbstractContextManager[None]:
    """The lock under which units are named and written."""
    return locked(state_directory() / "units.lock", "installing a unit")


def _registry() -> Path:
    return state_directory() / "venues"


def _digest(path: Path) -> str:
    return hashlib.sha256(str(path).encode()).hexdigest()[:16]


def _base(variable: str, below_home: str) -> Path:
    configured = os.environ.get(variable, "")
    # The specification says that relative paths there are to be ignored.
    base = Path(configured) if configured.startswith("/") else Path.home() / below_home
    return base / "django-backstage"
