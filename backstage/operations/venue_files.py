"""The files of a Venue that are made from those shipped: what they are now, and were before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from ..kinds import daemon
from ..layout import shipped_files
from ..layout.paths import VenuePaths
from ..layout.shipped_files import configuration, filled, shelf, shipped
from ..layout.shipped_record import Record
from ..uwsgi.emperor import uwsgi_of

EMPEROR_INI = "emperor.ini"
LAUNCH = "templates/launch"
# What an Act reads when it starts or restarts; `launch` runs only when the Emperor starts it.
OF_ACTS = (
    *("templates/django.ini", "templates/early_signals.py"),
    *("templates/environment.py", "templates/loaded.py"),
)


def texts(venue_paths: VenuePaths) -> dict[str, str]:
    """The texts that this version ships, by their paths relative to the Venue."""
    markers = _markers(venue_paths)
    scripts = {
        f"templates/{source.name}": filled(source, **markers)
        for source in shipped("scaffolds", "venue", "templates")
    }
    return {
        "templates/django.ini": configuration("vassal_templates", "django.ini", **markers),
        **scripts,
        EMPEROR_INI: configuration("emperor", EMPEROR_INI, **markers),
    }


def mode_of(name: str) -> int:
    """The mode of one of these files: scripts have no suffix."""
    return 0o644 if Path(name).suffix else 0o755


def record(written: Mapping[str, str]) -> Record:
    """The record of a Venue that got all of these texts, and was not edited since."""
    known = {name: [text] for name, text in written.items()}
    return Record(shipped_files.version(), shipped_files.digest(), known)


def earlier_texts(venue_paths: VenuePaths, name: str) -> list[str]:
    """The texts that earlier versions shipped, which kept no record of what they wrote."""
    return [*_earlier(venue_paths, name)]


def _earlier(venue_paths: VenuePaths, name: str) -> Iterator[str]:
    for version in sorted((shelf("scaffolds") / "earlier").iterdir()):
        source = version / name
        if source.is_file():
            yield filled(source, **_markers(venue_paths))


def _markers(venue_paths: VenuePaths) -> dict[str, str]:
    return {
        "venue": str(venue_paths.top),
        "uwsgi": str(uwsgi_of(venue_paths)),
        "daemons": "|".join(daemon.OPTIONS),
    }
