"""A Venue's directories, each made wrong on purpose."""

from __future__ import annotations

import os
import shlex
import subprocess
import time
from pathlib import Path

import pytest

from backstage.doctor import directories
from backstage.doctor.finding import Finding, Severity
from backstage.layout.paths import ActPaths, VenuePaths
from backstage.system import users

GIGABYTE = 1_000_000_000
BLOCK = 4096


@pytest.fixture
def paths(tmp_path: Path) -> VenuePaths:
    """A Venue with one Act, as they are when new."""
    venue = VenuePaths(tmp_path)
    for name in ("acts/blog/blog", "bin", "kept", "lib", "log", "templates", "vassals"):
        (tmp_path / name).mkdir(parents=True, mode=0o755)
    venue.run.mkdir(mode=0o700)
    for file in (venue.emperor_ini, venue.settings, venue.act("blog").vassal):
        file.touch(mode=0o644)
    for file in (venue.act("blog").manage, venue.act("blog").top / "blog" / "settings.py"):
        file.touch(mode=0o644)
    venue.act("blog").env_file.touch(mode=0o600)
    return venue


@pytest.fixture
def act(paths: VenuePaths) -> ActPaths:
    return paths.act("blog")


def type_(finding: Finding) -> None:
    """Do as a finding says."""
    assert finding.command, finding
    subprocess.run(["/bin/sh", "-c", finding.command], check=True, timeout=30)


def test_a_venue_in_order(paths: VenuePaths, act: ActPaths) -> None:
    found = [*directories.permissions(paths, [act]), *directories.leftovers(paths)]
    assert {finding.severity for finding in found} == {Severity.OK}


@pytest.mark.parametrize("mode", [0o775, 0o757, 0o777, 0o1777])
@pytest.mark.parametrize(
    ("place", "subject"),
    [
        *((".", "Venue"), ("emperor.ini", "Venue"), ("venue.yaml", "Venue"), ("bin", "bin")),
        *(("vassals", "vassals"), ("vassals/blog.ini", "vassals"), ("kept", "kept")),
        *(("templates", "templates"), ("acts", "acts"), ("lib", "lib")),
        *(("acts/blog", "blog"), ("acts/blog/manage.py", "blog")),
        *(("acts/blog/blog", "blog"), ("acts/blog/blog/settings.py", "blog")),
    ],
)
def test_where_others_may_write(
    paths: VenuePaths, act: ActPaths, place: str, subject: str, mode: int
) -> None:
    """Told once, as trouble, and what it says to type mends it."""
    (paths.top / place).chmod(mode)
    (told,) = directories.permissions(paths, [act])
    assert told.severity is Severity.TROUBLE
    assert told.subject == subject
    assert ("everybody" if mode & 0o002 else "the group") in told.what
    type_(told)
    assert (paths.top / place).stat().st_mode & 0o022 == 0
    assert {finding.severity for finding in directories.permissions(paths, [act])} == {Severity.OK}


def test_several_files_in_one_place_are_one_finding(paths: VenuePaths, act: ActPaths) -> None:
    for name in ("a b", "c'd"):
        paths.act(name).vassal.touch()
        paths.act(name).vassal.chmod(0o666)
    (told,) = directories.permissions(paths, [act])
    assert "vassals/a b.ini and 1 more" in told.what
    type_(told)
    assert {finding.severity for finding in directories.permissions(paths, [act])} == {Severity.OK}


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644])
def test_secrets_that_others_can_read(paths: VenuePaths, act: ActPaths, mode: int) -> None:
    act.env_file.chmod(mode)
    told, _ = directories.permissions(paths, [act])
    assert (told.severity, told.subject) == (Severity.TROUBLE, "acts/blog/.env")
    assert told.command == shlex.join(["chmod", "600", str(act.env_file)])
    assert [finding.severity for finding in directories.permissions(paths, [])] == [Severity.OK]


def test_a_directory_of_sockets_that_others_enter(paths: VenuePaths) -> None:
    paths.run.chmod(0o755)
    told, _ = directories.permissions(paths, [])
    assert (told.severity, told.subject) == (Severity.WARNING, "run")
    type_(told)
    assert len([*directories.permissions(paths, [])]) == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="giving files away needs root")
def test_what_belongs_to_others(paths: VenuePaths, act: ActPaths) -> None:
    os.chown(act.vassal, 65534, 65534)
    (told,) = directories.permissions(paths, [act])
    assert told.severity is Severity.TROUBLE
    assert told.what.startswith("vassals/blog.ini belongs to nobody")
    assert told.command == f"sudo chown root {act.vassal}"


@pytest.mark.skipif(os.geteuid() != 0, reason="giving files away needs root")
def test_another_users_venue(paths: VenuePaths) -> None:
    assert directories.stranger(paths) is None
    os.chown(paths.top, 65534, 65534)
    told = directories.stranger(paths)
    assert told
    assert told.command == f"sudo -u nobody {users.program()} --venue {paths.top} doctor"


@pytest.mark.parametrize(
    ("free", "severity"),
    [(50.0, Severity.OK), (1.1, Severity.OK), (0.9, Severity.WARNING), (0.09, Severity.TROUBLE)],
)
def test_room_on_the_disk(tmp_path: Path, free: float, severity: Severity) -> None:
    (told,) = directories.room(tmp_path, figures(free=free))
    assert told.severity is severity
    assert told.what.endswith("100 GB are free")


@pytest.mark.parametrize(
    ("inodes", "severity"),
    [(0.06, None), (0.04, Severity.WARNING), (0.009, Severity.TROUBLE)],
)
def test_room_for_more_files(tmp_path: Path, inodes: float, severity: Severity | None) -> None:
    told = [*directories.room(tmp_path, figures(inodes=inodes))][1:]
    assert [finding.severity for finding in told] == ([severity] if severity else [])


def test_file_systems_without_a_number_of_inodes(tmp_path: Path) -> None:
    (told,) = directories.room(tmp_path, figures(files=0))
    assert told.severity is Severity.OK


def test_a_disk_that_nobody_can_write_to(tmp_path: Path) -> None:
    (told,) = directories.room(tmp_path, figures(flag=os.ST_RDONLY))
    assert (told.severity, told.what) == (Severity.TROUBLE, "is mounted read-only")


def figures(
    *, free: float = 50.0, inodes: float = 0.5, files: int = 1000, flag: int = 0
) -> os.statvfs_result:
    """Those of a file system of 100 GB, of which so many are free."""
    blocks, left = 100 * GIGABYTE // BLOCK, int(free * GIGABYTE) // BLOCK
    spare = int(files * inodes)
    return os.statvfs_result((BLOCK, BLOCK, blocks, left, left, files, spare, spare, flag, 255))


def test_a_log_that_is_not_rotated(paths: VenuePaths) -> None:
    log = paths.log / "emperor.log"
    log.touch()
    assert {finding.severity for finding in directories.disk(paths)} == {Severity.OK}
    os.truncate(log, 300_000_000)
    told = [*directories.disk(paths)][-1]
    assert (told.severity, told.subject) == (Severity.WARNING, "log/emperor.log")
    assert told.what == "holds 300 MB"
    type_(told)
    assert log.stat().st_size == 0


def test_acts_half_made(paths: VenuePaths) -> None:
    paths.act("shop").unfinished.mkdir()
    paths.act("api").preparing.touch()
    told = {finding.subject: finding for finding in directories.leftovers(paths)}
    assert set(told) == {"shop", "api"}
    for name, finding in told.items():
        assert finding.severity is Severity.WARNING
        assert finding.command == f"backstage new-act {name}"


def test_a_project_that_is_no_act(paths: VenuePaths) -> None:
    paths.act("shop").top.mkdir()
    paths.act("shop").manage.touch()
    (told,) = directories.leftovers(paths)
    assert (told.severity, told.subject) == (Severity.NOTE, "acts/shop")


def test_parts_of_files(paths: VenuePaths) -> None:
    """Those that somebody writes now are left in peace."""
    part = paths.vassals / ".blog.ini.0a1b2c3d.part"
    part.touch()
    assert {finding.severity for finding in directories.leftovers(paths)} == {Severity.OK}
    os.utime(part, (time.time() - 3600,) * 2)
    (told,) = directories.leftovers(paths)
    assert told.severity is Severity.NOTE
    type_(told)
    assert not part.exists()


@pytest.mark.parametrize("name", [".blog.ini", "blog.yml", "blog.json", "blog.xml", "#.js"])
def test_what_the_emperor_runs_although_it_is_no_act(paths: VenuePaths, name: str) -> None:
    (paths.vassals / name).touch()
    (told,) = directories.leftovers(paths)
    assert (told.severity, told.subject) == (Severity.WARNING, f"vassals/{name}")
    type_(told)
    assert not (paths.vassals / name).exists()


@pytest.mark.parametrize("name", ["blog.ini~", "blog.ini.swp", "README", ".blog.ini.ab.part"])
def test_what_the_emperor_passes_over(paths: VenuePaths, name: str) -> None:
    (paths.vassals / name).touch()
    assert {finding.severity for finding in directories.leftovers(paths)} == {Severity.OK}


def test_retired_acts(paths: VenuePaths) -> None:
    act = paths.retired / "2026-01-31-shop"
    act.mkdir(parents=True)
    (act / "db.sqlite3").touch()
    assert [*directories.leftovers(paths)][1].what == "holds 1 retired Act, 0 MB"
    os.truncate(act / "db.sqlite3", 2 * GIGABYTE)
    told = [*directories.leftovers(paths)][1]
    assert (told.severity, told.what) == (Severity.NOTE, "holds 1 retired Act, 2000 MB")
