"""What belongs to another user's Venue is not taken along: where one was made is a user's word."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from backstage.layout.paths import VenuePaths
from backstage.operations import relocated_outside
from backstage.operations.relocated_outside import service_of
from backstage.system import users
from backstage.systemd import client
from backstage.systemd.client import Service
from backstage.venue import Venue


@pytest.fixture
def venue(tmp_path: Path) -> Venue:
    top = tmp_path / "Venue"
    top.mkdir()
    return Venue(VenuePaths(top))


@pytest.mark.parametrize(
    ("user", "own", "is_theirs"),
    [("me", False, True), ("another", False, False), ("", True, True), ("", False, False)],
)
def test_a_unit_of_the_machine_must_run_the_owner(
    venue: Venue, monkeypatch: pytest.MonkeyPatch, user: str, own: bool, is_theirs: bool
) -> None:
    monkeypatch.setattr(users, "name_of", lambda uid: "me" if uid == os.geteuid() else "another")
    unit = Service(venue.path / "backstage-x.service", own)
    unit.path.write_text(f"[Service]\nUser={user}\n" if user else "[Service]\n")
    monkeypatch.setattr(client, "service_of", lambda path: unit)
    assert service_of(venue, Path("/srv/gone")) == (unit if is_theirs else None)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root is led by what another user writes")
def test_sites_must_be_of_a_place_of_the_owners(venue: Venue, tmp_path: Path) -> None:
    theirs = tmp_path / "home"
    theirs.mkdir()
    was_owners = relocated_outside._was_owners
    assert was_owners(venue, tmp_path / "gone"), "of root's Venue"
    os.chown(venue.path, 65534, 65534)
    assert not was_owners(venue, tmp_path / "gone"), "anybody's, or root's"
    os.chown(theirs, 65534, 65534)
    assert was_owners(venue, theirs / "below" / "gone")
