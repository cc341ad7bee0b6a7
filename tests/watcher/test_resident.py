"""What the watcher knows of venue.yaml."""

from __future__ import annotations

from pathlib import Path

import pytest

from backstage.layout.paths import VenuePaths
from backstage.layout.settings import Settings
from backstage.watcher import resident

OFF, BROKEN = "watcher: off\n", "watcher: [\n"


def test_a_file_that_could_not_be_read_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as while no more files could be opened; a text that is wrong stays so until its edit."""
    paths = VenuePaths(tmp_path)
    paths.settings.write_text(OFF)
    read, count = resident.read_settings, 0

    def fail(_: Path) -> Settings:
        raise OSError(24, "Too many open files")

    def counted(path: Path) -> Settings:
        nonlocal count
        count += 1
        return read(path)

    wish = resident._Wish(paths)
    monkeypatch.setattr(resident, "read_settings", fail)
    assert not wish.is_off()
    monkeypatch.setattr(resident, "read_settings", counted)
    assert wish.is_off()
    assert wish.is_off()
    assert count == 1
    paths.settings.write_text(BROKEN)
    assert wish.is_off()
    assert wish.is_off()
    assert count == 2
