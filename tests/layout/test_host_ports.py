"""Users tell each other their ports where anybody can write: nothing there can do harm."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from backstage.layout import host_ports
from backstage.system import as_user

NOBODY = 65534

only_root = pytest.mark.skipif(os.geteuid() != 0, reason="becoming another user needs root")


@pytest.fixture
def shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory like /var/tmp, which everybody can reach."""
    top = tmp_path / "shared"
    top.mkdir()
    top.chmod(0o1777)
    for each in top.parents:
        if each.stat().st_uid == os.geteuid() and each != Path("/"):
            each.chmod(each.stat().st_mode | 0o011)
    monkeypatch.setenv(host_ports.SHARED, str(top))
    return top


def mine(shared: Path) -> Path:
    return shared / f"django-backstage-ports-{os.geteuid()}"


def test_what_a_user_tells_is_their_own(shared: Path) -> None:
    host_ports.tell({8002, 8001})
    assert (host_ports.told(), host_ports.of_others()) == ({8001, 8002}, set())
    assert mine(shared).read_text() == "8001 8002\n"
    assert mine(shared).stat().st_mode & 0o777 == 0o644
    host_ports.tell({8003})
    assert host_ports.told() == {8003}
    assert os.listdir(shared) == [mine(shared).name]


@only_root
def test_other_users_see_it(shared: Path) -> None:
    """And nobody sees what was written in another's name."""
    as_user.run_as(NOBODY, lambda: host_ports.tell({8001}))
    assert host_ports.of_others() == {8001}
    host_ports.tell({8005})
    assert as_user.run_as(NOBODY, lambda: sorted(host_ports.of_others())) == [8005]
    forged = shared / "django-backstage-ports-4242"
    forged.write_text("8009\n")
    assert host_ports.of_others() == {8001}


@only_root
def test_a_name_that_somebody_else_has_taken_stops_nobody(shared: Path) -> None:
    mine(shared).touch()
    os.chown(mine(shared), 4242, 4242)
    as_user.run_as(NOBODY, lambda: (shared / "django-backstage-ports-0").exists())
    assert host_ports.told() == set()
    taken = shared / f"django-backstage-ports-{NOBODY}"
    taken.touch()
    as_user.run_as(NOBODY, lambda: host_ports.tell({8001}))
    assert taken.read_text() == ""


@pytest.mark.parametrize("planted", ["link", "pipe", "directory", "long", "letters"])
def test_whatever_else_is_there_tells_nothing(shared: Path, planted: str, tmp_path: Path) -> None:
    """No link is followed, no pipe is waited for, and no number is longer than a port's."""
    file = mine(shared)
    if planted == "link":
        (tmp_path / "elsewhere").write_text("8001\n")
        file.symlink_to(tmp_path / "elsewhere")
    elif planted == "pipe":
        os.mkfifo(file)
    elif planted == "directory":
        file.mkdir()
    else:
        file.write_text("1" * 500_000 if planted == "long" else "eight \u0668 -1 ²")
    assert host_ports.told() == set()


def test_without_the_directory_nothing_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(host_ports.SHARED, str(tmp_path / "nowhere"))
    host_ports.tell({8001})
    assert (host_ports.told(), host_ports.of_others()) == (set(), set())
