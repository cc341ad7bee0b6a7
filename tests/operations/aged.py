"""Venues that got files from an earlier version of the library."""

from __future__ import annotations

from backstage.layout import shipped_record
from backstage.layout.paths import VenuePaths
from backstage.layout.shipped_record import Record


def ship(paths: VenuePaths, name: str, text: str) -> None:
    """Have an earlier version have written this text, and recorded it."""
    (paths.top / name).write_text(text)
    record = shipped_record.read(paths)
    shipped_record.write(paths, Record(record.version, "", {**record.texts, name: [text]}))


def age(paths: VenuePaths, *names: str) -> None:
    """Have an earlier version have written these files with another last line."""
    for name in names:
        ship(paths, name, (paths.top / name).read_text() + "# Of an earlier version.\n")
