"""The socket for the group: closed to all others, from the first moment to the last."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import pytest

from backstage.layout.paths import VenuePaths
from backstage.watcher import door


def modes(paths: VenuePaths) -> tuple[int, int]:
    facts = (paths.shared.lstat(), paths.shared_socket.lstat())
    return stat.S_IMODE(facts[0].st_mode), stat.S_IMODE(facts[1].st_mode)


def test_only_the_group_gets_in_and_can_change_nothing(tmp_path: Path) -> None:
    """Whatever the umask is, and whatever a killed watcher has left."""
    paths = VenuePaths(tmp_path)
    before = os.umask(0)
    try:
        for _ in range(2):
            with door.opened(paths, os.getegid()):
                assert modes(paths) == (0o710, 0o660)
                assert paths.shared_socket.lstat().st_gid == os.getegid()
    finally:
        os.umask(before)


def test_it_listens(tmp_path: Path) -> None:
    paths = VenuePaths(tmp_path)
    with door.opened(paths, os.getegid()), socket.socket(socket.AF_UNIX) as plug:
        descriptor = os.open(paths.shared, os.O_PATH)
        plug.connect(f"/proc/self/fd/{descriptor}/socket")
        os.close(descriptor)


@pytest.mark.parametrize("planted", ["link", "file"])
def test_nothing_else_in_its_place_is_followed(tmp_path: Path, planted: str) -> None:
    paths, elsewhere = VenuePaths(tmp_path / "V"), tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o755)
    (elsewhere / "socket").touch()
    paths.top.mkdir()
    if planted == "link":
        paths.shared.symlink_to(elsewhere)
    else:
        paths.shared.touch()
    with pytest.raises(OSError, match=r"."):
        door.opened(paths, os.getegid())
    door.remove(paths)
    assert (elsewhere / "socket").exists()
    assert stat.S_IMODE(elsewhere.stat().st_mode) == 0o755


def test_a_link_for_the_socket_is_replaced_and_not_followed(tmp_path: Path) -> None:
    paths, other = VenuePaths(tmp_path), tmp_path / "other"
    other.touch(mode=0o600)
    paths.shared.mkdir()
    paths.shared_socket.symlink_to(other)
    with door.opened(paths, os.getegid()):
        assert stat.S_ISSOCK(paths.shared_socket.lstat().st_mode)
    assert stat.S_IMODE(other.stat().st_mode) == 0o600


def test_it_goes_with_its_directory(tmp_path: Path) -> None:
    paths = VenuePaths(tmp_path)
    door.opened(paths, os.getegid()).close()
    door.remove(paths)
    door.remove(paths)
    assert not paths.shared.exists()
