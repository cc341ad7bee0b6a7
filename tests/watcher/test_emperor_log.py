"""The Emperor's log stays short while the Emperor has it open."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from backstage.layout.paths import VenuePaths
from backstage.watcher import emperor_log
from backstage.watcher.emperor_log import MOST


@pytest.fixture
def venue(tmp_path: Path) -> VenuePaths:
    (tmp_path / "log").mkdir()
    return VenuePaths(tmp_path)


def test_what_was_written_is_set_aside_and_the_emperor_goes_on(venue: VenuePaths) -> None:
    log, aside = venue.emperor_log, venue.log / "emperor.log.1"
    with log.open("ab", buffering=0) as emperors:
        emperors.write(b"first\n")
        emperor_log.bound(venue)
        assert not aside.exists()
        emperors.write(b"x" * MOST + b"\nlast\n")
        log.chmod(0o640)
        emperor_log.bound(venue)
        emperors.write(b"next\n")
    assert log.read_bytes() == b"next\n"
    assert aside.stat().st_size == MOST
    assert aside.read_bytes().endswith(b"\nlast\n")
    assert aside.stat().st_mode & 0o777 == 0o640


def test_nothing_else_is_truncated(venue: VenuePaths, tmp_path: Path) -> None:
    """Neither a file that a link leads to, by either kind of link, nor a pipe."""
    other = tmp_path / "other"
    with other.open("wb") as file:
        file.truncate(MOST + 1)
    for put in (venue.emperor_log.symlink_to, venue.emperor_log.hardlink_to):
        put(other)
        emperor_log.bound(venue)
        venue.emperor_log.unlink()
    os.mkfifo(venue.emperor_log)
    emperor_log.bound(venue)
    venue.emperor_log.unlink()
    emperor_log.bound(venue)
    assert other.stat().st_size == MOST + 1
    assert not (venue.log / "emperor.log.1").exists()
