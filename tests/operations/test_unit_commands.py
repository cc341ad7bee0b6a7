"""What to type to install a unit: for whom, and as whom its Emperor runs."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import pytest

from backstage.layout.paths import VenuePaths
from backstage.operations import install_unit
from backstage.systemd.client import Service
from backstage.venue import Venue

NOBODY = 65534
only_root = pytest.mark.skipif(os.geteuid() != 0, reason="an owner of a Venue's own needs root")


@pytest.fixture
def venue(tmp_path: Path) -> Venue:
    top = tmp_path / "My Venue"
    top.mkdir()
    return Venue(VenuePaths(top))


def words(command: str) -> list[str]:
    """What follows the program, whoever runs it."""
    line = shlex.split(command)
    return line[line.index("--venue") :]


def named(venue: Venue) -> list[str]:
    return ["--venue", str(venue.path), "systemd", "install"]


def test_a_unit_of_a_user_stays_that_users(venue: Venue) -> None:
    own = Service(Path("backstage-x.service"), own=True)
    told = words(install_unit.command(venue, own, "--yes"))
    assert told == [*named(venue), "--user", "--yes"]


@only_root
def test_roots_emperor_stays_roots(venue: Venue) -> None:
    """A Venue of root's has no unit unless that is asked for."""
    told = [*named(venue), "--run-as", "root"]
    assert words(install_unit.command(venue, None)) == told
    assert (
        words(install_unit.command(venue, Service(Path("backstage-x.service"), own=False))) == told
    )
    os.chown(venue.path, NOBODY, NOBODY)
    assert words(install_unit.command(venue, None)) == named(venue)


def test_without_root_there_is_a_second_way(venue: Venue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backstage.system.users.am_root", lambda: False)
    told = str(install_unit.no_unit(venue))
    assert "to install one, type: sudo " in told
    assert words(told.partition("without root: ")[2]) == [*named(venue), "--user"]
