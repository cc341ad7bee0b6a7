"""Users of this system by name and by number, and becoming another user."""

from __future__ import annotations

import grp
import json
import os
import pwd
import subprocess
import sys
from pathlib import Path

import pytest

from backstage.errors import UnknownUser, UnsafeDirectory
from backstage.system import users

BECOME = """
import json, os, sys
from backstage.system import users
users.become(int(sys.argv[1]))
told = ("HOME", "USER", "LOGNAME", "XDG_RUNTIME_DIR", "XDG_STATE_HOME", "XDG_CONFIG_HOME", "KEPT")
print(json.dumps({
    "ids": [*os.getresuid(), *os.getresgid()],
    "groups": os.getgroups(),
    "told": {key: os.environ.get(key) for key in told},
    "root again": users.am_root(),
}))
"""
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes somebody else")


def unused_uid() -> int:
    used = {user.pw_uid for user in pwd.getpwall()}
    return next(uid for uid in range(60000, 60100) if uid not in used)


def somebody() -> pwd.struct_passwd:
    """A user other than root who exists on every system."""
    return pwd.getpwnam("nobody")


def test_users_are_found_by_name() -> None:
    assert users.by_name("root").pw_uid == users.ROOT
    with pytest.raises(UnknownUser, match="nobody-such"):
        users.by_name("nobody-such")


def test_a_number_without_a_user_is_told_as_a_number() -> None:
    assert users.name_of(users.ROOT) == "root"
    assert users.name_of(unused_uid()) == f"#{unused_uid()}"


def test_my_name_is_that_of_the_user_i_act_as(monkeypatch: pytest.MonkeyPatch) -> None:
    assert users.mine() == users.name_of(os.geteuid())
    monkeypatch.setenv("USER", "somebody-else")
    assert users.mine() == users.name_of(os.geteuid())


def test_a_group_without_a_name_is_told_as_a_number() -> None:
    root = pwd.getpwnam("root")
    assert users.group_of(root) == grp.getgrgid(root.pw_gid).gr_name
    used = {group.gr_gid for group in grp.getgrall()}
    gid = next(gid for gid in range(60000, 60100) if gid not in used)
    stranger = pwd.struct_passwd(("x", "x", 1, gid, "", "/", "/bin/sh"))
    assert users.group_of(stranger) == str(gid)


def test_the_first_group_that_there_is_counts() -> None:
    known = grp.getgrgid(0).gr_name
    assert users.first_group(("no-such-group", known), 77) == 0
    assert users.first_group(("no-such-group",), 77) == 77
    assert users.first_group((), 77) == 77


def test_nobody_stands_in_for_who_is_not_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    assert not users.am_root()
    assert users.stand_in(tmp_path) is None
    assert users.stand_in(Path("/")) is None


def test_nobody_stands_in_for_root_where_root_is_the_owner(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert users.stand_in(Path("/")) is None


@needs_root
def test_the_owner_stands_in_for_root(tmp_path: Path) -> None:
    os.chown(tmp_path, 12345, -1)
    assert users.stand_in(tmp_path) == 12345


@needs_root
def test_a_link_makes_nobody_root(tmp_path: Path) -> None:
    """The owner of a Venue may have replaced an Act's directory with a link to a file of root's."""
    link = tmp_path / "act"
    link.symlink_to("/usr")
    os.chown(link, 12345, -1, follow_symlinks=False)
    assert users.stand_in(link) == 12345
    assert users.stand_in(Path("/usr"), link) == 12345
    assert users.stand_in(Path("/usr"), tmp_path / "nowhere") is None


@needs_root
def test_the_owner_of_the_venue_counts_before_that_of_the_act(tmp_path: Path) -> None:
    """The owner of the Venue may have made a link to another user's directory."""
    (tmp_path / "venue" / "act").mkdir(parents=True)
    os.chown(tmp_path / "venue", 12345, -1)
    os.chown(tmp_path / "venue" / "act", 23456, -1)
    assert users.stand_in(tmp_path / "venue", tmp_path / "venue" / "act") == 12345


@needs_root
def test_a_venue_of_roots_where_others_write_is_refused(tmp_path: Path) -> None:
    (tmp_path / "venue").mkdir()
    assert users.stand_in(tmp_path / "venue") is None
    for place in (tmp_path / "venue", tmp_path):
        place.chmod(0o777)
        with pytest.raises(UnsafeDirectory, match="can be written by everybody"):
            users.stand_in(tmp_path / "venue")
        place.chmod(0o700)
    (tmp_path / "link").symlink_to("venue")
    os.chown(tmp_path / "link", 12345, -1, follow_symlinks=False)
    assert users.stand_in(tmp_path / "link") == 12345, "who made a link can lead it elsewhere"


@needs_root
def test_who_becomes_a_user_is_that_user_for_good() -> None:
    """The process has exactly that user's groups, and no variables of root's shell."""
    user = somebody()
    told = {"XDG_STATE_HOME": "/root/state", "XDG_CONFIG_HOME": "/root/config", "KEPT": "yes"}
    # Only root may be able to read the modules.
    done = subprocess.run(
        [sys.executable, "-c", BECOME, str(user.pw_uid)],
        env={**os.environ, **told, "XDG_RUNTIME_DIR": "/run/user/0"},
        capture_output=True,
        text=True,
        check=True,
    )
    seen = json.loads(done.stdout)
    assert seen["ids"] == [user.pw_uid] * 3 + [user.pw_gid] * 3
    assert set(seen["groups"]) == set(os.getgrouplist(user.pw_name, user.pw_gid))
    assert not seen["root again"]
    assert seen["told"] == {
        "HOME": user.pw_dir,
        "USER": user.pw_name,
        "LOGNAME": user.pw_name,
        "XDG_RUNTIME_DIR": f"/run/user/{user.pw_uid}",
        "XDG_STATE_HOME": None,
        "XDG_CONFIG_HOME": None,
        "KEPT": "yes",
    }


def test_nobody_becomes_a_bare_number() -> None:
    """A process with an unused uid could read the files of a later user with that uid."""
    with pytest.raises(UnknownUser, match=str(unused_uid())):
        users.become(unused_uid())
    assert users.name_of(os.geteuid()) == users.mine()
