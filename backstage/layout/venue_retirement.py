"""The record of a Venue that is retired: where it was, and what served it there."""

from __future__ import annotations

import glob
import json
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

from ..system.files import contents, make_private, write_atomically
from .paths import VenuePaths

_RECORD = "retired.json"
_MARK = ".retired-"


@dataclass(frozen=True)
class SiteRecord:
    """How nginx served an Act; `certificate` and `key` are '' without TLS."""

    act: str
    domains: tuple[str, ...]
    certificate: str = ""
    key: str = ""
    automatic: bool = False
    redirect_www: bool = False


@dataclass(frozen=True)
class VenueRetirement:
    """`ran` tells whether the Emperor ran; `unit` whose systemd ran it: 'system', 'own' or ''."""

    path: str
    ran: bool = False
    unit: str = ""
    sites: tuple[SiteRecord, ...] = ()


def read(venue_paths: VenuePaths) -> VenueRetirement | None:
    """The record of a Venue that is retired, or that a killed call has half retired."""
    return of(told(venue_paths))


def told(venue_paths: VenuePaths) -> object:
    """The record as it was written; None if there is none."""
    try:
        return json.loads(contents(venue_paths.own / _RECORD))
    except (OSError, ValueError):
        return None


def of(told: Any) -> VenueRetirement | None:
    """The record; None if it is none."""
    try:
        sites = (
            SiteRecord(**{**each, "domains": tuple(each["domains"])}) for each in told["sites"]
        )
        return VenueRetirement(**{**told, "sites": tuple(sites)})
    except (TypeError, KeyError):
        return None


def write(venue_paths: VenuePaths, record: VenueRetirement) -> None:
    make_private(venue_paths.own)
    write_atomically(venue_paths.own / _RECORD, json.dumps(asdict(record)), mode=0o600)


def remove(venue_paths: VenuePaths) -> None:
    (venue_paths.own / _RECORD).unlink(missing_ok=True)


def away(top: Path) -> Path:
    """Where a Venue goes: beside its place, so that it is moved at one stroke."""
    base = top.with_name(f"{top.name}{_MARK}{date.today().isoformat()}")
    numbered = (base.with_name(f"{base.name}-{number}") for number in range(2, 10_000))
    return next(path for path in (base, *numbered) if not path.exists())


def those_of(place: Path) -> list[Path]:
    """The Venues that were retired from a path and lie beside it, the oldest first."""
    found = place.parent.glob(f"{glob.escape(place.name)}{_MARK}*")
    return sorted(path for path in found if read(VenuePaths(path)))


def former(top: Path) -> Path:
    """Where a Venue was that stands where `away` has put it, or in its place still.

    By the name of the directory and not by the record, which the Venue's owner can write: root must
    not move it to just any place.
    """
    name, mark, _ = top.name.rpartition(_MARK)
    return top.with_name(name) if mark else top
