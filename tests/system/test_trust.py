"""Whether others than one user could have changed what is run from a directory."""

from __future__ import annotations

import grp
import os
import pwd
from pathlib import Path

import pytest

from backstage.errors import UnsafeDirectory
from backstage.system.trust import refuse_shared, refuse_untrusted

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
ME = os.geteuid()


@pytest.fixture
def venue(tmp_path: Path) -> Path:
    """A directory in two others, of which nobody else can write in any."""
    found = tmp_path / "two words" / "venue"
    found.mkdir(parents=True)
    for place in (tmp_path, found.parent, found):
        place.chmod(0o755)
    return found


def test_what_only_the_user_and_root_can_change_is_run(venue: Path) -> None:
    refuse_untrusted(venue)
    refuse_shared(Path("/usr/bin"), 12345)


@pytest.mark.parametrize("above", [0, 1])
def test_who_can_write_on_the_way_could_have_changed_it(venue: Path, above: int) -> None:
    """The command in the message mends it."""
    place = [venue, *venue.parents][above]
    place.chmod(0o757)
    with pytest.raises(UnsafeDirectory, match="can be written by everybody") as caught:
        refuse_untrusted(venue)
    assert caught.value.path == place
    assert os.system(caught.value.remedy) == 0
    refuse_untrusted(venue)


def test_a_sticky_directory_may_be_on_the_way_but_is_no_venue(venue: Path) -> None:
    venue.parent.chmod(0o1777)
    refuse_untrusted(venue)
    venue.chmod(0o1777)
    with pytest.raises(UnsafeDirectory):
        refuse_untrusted(venue)


def test_a_group_is_nobody_else_if_it_is_the_users_alone(
    venue: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where each user has a group of that name, and a umask of 002."""
    venue.parent.chmod(0o775)
    me, gid = pwd.getpwuid(ME), venue.parent.stat().st_gid
    other = pwd.struct_passwd((*me[:2], 12345, gid, *me[4:]))
    for users, members, alone in (([], [], True), ([other], [], False), ([], ["x"], False)):
        monkeypatch.setattr(pwd, "getpwall", lambda users=users: [me, *users])
        group = grp.struct_group(("mine", "x", gid, [me.pw_name, *members]))
        monkeypatch.setattr(grp, "getgrgid", lambda _, group=group: group)
        if alone:
            refuse_untrusted(venue)
            continue
        with pytest.raises(UnsafeDirectory, match="can be written by the group "):
            refuse_untrusted(venue)


def test_what_belongs_to_another_user_is_not_run(
    venue: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor what that user could put in its place."""
    if ME == 0:
        os.chown(venue, 12345, -1)
    monkeypatch.setattr(os, "geteuid", lambda: 23456)
    with pytest.raises(UnsafeDirectory, match=r"belongs to .*, so nothing in it is run") as caught:
        refuse_untrusted(venue)
    assert caught.value.remedy.startswith("sudo -u ")


@needs_root
def test_the_owner_of_a_directory_on_the_way_could_have_put_another_one_there(venue: Path) -> None:
    os.chown(venue.parent, 12345, -1)
    with pytest.raises(UnsafeDirectory, match="can put something else in the place of") as caught:
        refuse_untrusted(venue)
    assert caught.value.path == venue.parent
    # Root runs the programs of this Venue as its owner.
    os.chown(venue, 12345, -1)
    refuse_untrusted(venue)
    os.chown(venue, 0, -1)
    assert os.system(caught.value.remedy) == 0
    refuse_untrusted(venue)


def test_a_link_counts_and_so_does_where_it_leads(venue: Path, tmp_path: Path) -> None:
    """As with `~/.cache` on another disk."""
    (tmp_path / "link").symlink_to(venue.parent)
    through = tmp_path / "link" / venue.name
    refuse_untrusted(through)
    venue.parent.chmod(0o757)
    with pytest.raises(UnsafeDirectory, match="can be written by everybody") as caught:
        refuse_untrusted(through)
    assert caught.value.path == venue.parent


@needs_root
def test_a_link_of_another_users_is_not_followed(venue: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(venue.parent)
    os.chown(link, 12345, -1, follow_symlinks=False)
    with pytest.raises(UnsafeDirectory, match="can put something else in the place of") as caught:
        refuse_untrusted(link / venue.name)
    assert caught.value.path == link
