"""The check of what came with the library."""

from __future__ import annotations

from pathlib import Path

from backstage.doctor import files
from backstage.doctor.finding import Severity
from backstage.layout.paths import VenuePaths
from backstage.operations.new_venue import configure


def test_an_upgrade_that_is_due_is_told_with_what_to_type(tmp_path: Path) -> None:
    """Also in a Venue of a version that kept no record, and after an upgrade was killed."""
    paths = VenuePaths(tmp_path)
    configure(paths)
    (told,) = files.examine(paths)
    assert told.severity is Severity.OK
    paths.upgrade.touch()
    (told,) = files.examine(paths)
    assert (told.severity, told.command) == (Severity.WARNING, "backstage upgrade")
    paths.upgrade.unlink()
    paths.shipped.unlink()
    (told,) = files.examine(paths)
    assert (told.severity, told.command) == (Severity.NOTE, "backstage upgrade")
