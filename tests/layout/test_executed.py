"""What is run from a Venue, and that nobody else can have changed it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from backstage.errors import UnsafeDirectory
from backstage.layout.executed import refuse_loose
from backstage.layout.paths import VenuePaths

FILES = (
    *("pyvenv.cfg", "emperor.ini", "venue.yaml", "bin/uwsgi", "templates/launch"),
    *(".backstage/shipped.json", ".backstage/residents/.watcher.ini"),
    *("lib/python3.11/site-packages/more.pth", "vassals/blog.ini", "kept/blog.launch"),
)
DIRECTORIES = sorted({str(parent) for name in FILES for parent in Path(name).parents})


@pytest.fixture
def venue(tmp_path: Path) -> VenuePaths:
    """A Venue of which there are files only, in a directory with a space."""
    top = tmp_path / "a venue"
    for name in FILES:
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).touch()
    for place in (tmp_path, top, *top.rglob("*")):
        place.chmod(0o755)
    return VenuePaths(top)


def test_what_only_its_owner_can_change_is_run(venue: VenuePaths) -> None:
    refuse_loose(venue, venue.act("blog"))


@pytest.mark.parametrize("mode", [0o757, 0o775])
@pytest.mark.parametrize("name", [*FILES, *DIRECTORIES])
def test_what_others_can_write_is_not_run(venue: VenuePaths, name: str, mode: int) -> None:
    """The command in the message mends it."""
    (venue.top / name).chmod(mode)
    with pytest.raises(UnsafeDirectory, match="can be written by ") as caught:
        refuse_loose(venue, venue.act("blog"))
    subprocess.run(["sh", "-c", caught.value.remedy], check=True)
    refuse_loose(venue, venue.act("blog"))


def test_one_command_mends_all(venue: VenuePaths) -> None:
    for name in FILES:
        (venue.top / name).chmod(0o666)
    with pytest.raises(UnsafeDirectory, match="more can be written by everybody") as caught:
        refuse_loose(venue, venue.act("blog"))
    subprocess.run(["sh", "-c", caught.value.remedy], check=True)
    refuse_loose(venue, venue.act("blog"))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("is_link", [False, True])
def test_what_another_user_owns_is_not_run(venue: VenuePaths, name: str, is_link: bool) -> None:
    """Nor by a link, except for the interpreter and the programs beside it."""
    file = venue.top / name
    if is_link:
        (venue.top.parent / "theirs").touch()
        file.unlink()
        file.symlink_to(venue.top.parent / "theirs")
    os.chown(file, 12345, -1)
    if is_link and name == "bin/uwsgi":
        return
    with pytest.raises(UnsafeDirectory, match="belongs to #12345") as caught:
        refuse_loose(venue, venue.act("blog"))
    subprocess.run(["sh", "-c", caught.value.remedy], check=True)
    refuse_loose(venue, venue.act("blog"))


def test_the_files_of_another_act_are_its_own_trouble(venue: VenuePaths) -> None:
    (venue.vassals / "shop.ini").touch()
    (venue.vassals / "shop.ini").chmod(0o666)
    refuse_loose(venue, venue.act("blog"))
