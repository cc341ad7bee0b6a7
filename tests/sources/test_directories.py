"""Copying a directory as it is."""

from __future__ import annotations

import os
import shutil
import socket
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from backstage.errors import CannotWrite, SourceRefused
from backstage.sources.fetched import Fetched
from backstage.sources.fetching import fetch
from backstage.sources.source import Source

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    top = tmp_path / "mein Häuschen"
    for name in ("app", "media", "ä ö"):
        (top / name).mkdir(parents=True)
    for name in ("manage.py", "app/x.py", ".env", "media/large", "ä ö/ü.txt"):
        (top / name).write_text(name, encoding="utf-8")
    return top


@pytest.fixture
def into(tmp_path: Path) -> Path:
    return tmp_path / "release" / "code"


def copied(source: Path, into: Path, *without: str) -> Fetched:
    return fetch(Source.of(str(source)), into, without=without)


def names(top: Path) -> set[str]:
    return {str(path.relative_to(top)) for path in top.rglob("*") if not path.is_dir()}


def test_all_files_come_along_as_they_are(shop: Path, into: Path) -> None:
    """But nobody else can write them, and none is run as another user."""
    (shop / "manage.py").chmod(0o6777)
    (shop / ".env").chmod(0o600)
    os.utime(shop / "app" / "x.py", (1_500_000_000, 1_500_000_000))
    done = copied(shop, into)
    assert done == Fetched(str(shop))
    assert names(into) == names(shop)
    assert (into / "ä ö" / "ü.txt").read_text() == "ä ö/ü.txt"
    assert stat.S_IMODE((into / "manage.py").stat().st_mode) == 0o755
    assert stat.S_IMODE((into / ".env").stat().st_mode) == 0o600
    assert stat.S_IMODE(into.stat().st_mode) == 0o755
    assert (into / "app" / "x.py").stat().st_mtime == 1_500_000_000


def test_what_is_made_again_is_left_out(shop: Path, into: Path) -> None:
    before = names(shop)
    for name in (".git", "venv/bin", "app/__pycache__", "node_modules/x", "conda/conda-meta"):
        (shop / name).mkdir(parents=True)
    for name in (".git/HEAD", "venv/pyvenv.cfg", "app/__pycache__/x", "app/y.pyc", "conda/x"):
        (shop / name).touch()
    (shop / ".venv").symlink_to(shop / "venv")
    (note,) = copied(shop, into).notes
    assert note.startswith("its commit is unknown")
    assert names(into) == before


def test_an_environment_around_the_code_is_left_out(shop: Path, into: Path) -> None:
    before = names(shop)
    (shop / "pyvenv.cfg").touch()
    (shop / "bin").mkdir()
    (shop / "bin" / "python").touch()
    copied(shop, into)
    assert names(into) == before


def test_paths_that_are_named_are_left_out(shop: Path, into: Path) -> None:
    copied(shop, into, "media", "app/x.py")
    assert names(into) == {"manage.py", ".env", "ä ö/ü.txt"}


def test_a_venue_is_no_source(shop: Path, into: Path) -> None:
    (shop / "venue.yaml").touch()
    with pytest.raises(SourceRefused, match="it is a Venue"):
        copied(shop, into)


def test_a_copy_below_its_source_ends(shop: Path) -> None:
    into = shop / "releases" / "code"
    copied(shop, into)
    assert "manage.py" in names(into)
    assert not list(into.rglob(".code.part"))


def test_links_lead_to_the_copy_or_where_they_did(shop: Path, into: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("elsewhere")
    (shop / "relative").symlink_to("app/x.py")
    (shop / "absolute").symlink_to(shop / "app" / "x.py")
    (shop / "app" / "around").symlink_to(f"../../{shop.name}/app/x.py")
    (shop / "app" / "out").symlink_to("../../elsewhere")
    (shop / "nothing").symlink_to("gone")
    done = copied(shop, into)
    for name in ("relative", "absolute", "app/around"):
        assert (into / name).resolve() == into / "app" / "x.py"
    assert (into / "nothing").readlink() == Path("gone")
    assert (into / "app" / "out").resolve() == tmp_path / "elsewhere"
    assert [note.partition(": ")[2] for note in done.notes] == [
        f"app/out -> {tmp_path / 'elsewhere'}"
    ]


def test_what_is_no_file_is_told(shop: Path, into: Path) -> None:
    """A pipe would keep its reader waiting."""
    os.mkfifo(shop / "pipe")
    (shop / "circle").symlink_to("circle")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(shop / "uwsgi.sock"))
        done = copied(shop, into)
    assert [note.partition(": ")[2] for note in done.notes] == ["circle, pipe, uwsgi.sock"]
    assert not names(into) & {"circle", "pipe", "uwsgi.sock"}


def test_an_empty_directory_is_refused(tmp_path: Path, into: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(SourceRefused, match="there is nothing in it"):
        copied(tmp_path / "empty", into)


def test_what_is_there_stays(shop: Path, into: Path) -> None:
    into.mkdir(parents=True)
    (into / "mine").write_text("mine")
    with pytest.raises(CannotWrite, match="Directory not empty"):
        copied(shop, into)
    assert names(into.parent) == {"code/mine"}


def test_what_a_killed_call_left_is_removed(shop: Path, into: Path) -> None:
    (into.parent / ".code.part").mkdir(parents=True)
    (into.parent / ".code.part" / "old").touch()
    copied(shop, into)
    assert os.listdir(into.parent) == ["code"]
    assert "old" not in names(into)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MB of its own."""
    place = tmp_path / "disk"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m,mode=755", "tmpfs", place], check=True)
    yield place
    subprocess.run(["umount", "--lazy", place], check=True)


@needs_root
@pytest.mark.parametrize("kind", ["directory", "git", "tar.gz", "zip"])
def test_a_full_disk_leaves_nothing(shop: Path, disk: Path, kind: str, tmp_path: Path) -> None:
    (shop / "large").write_bytes(os.urandom(6_000_000))
    source = shop
    if kind == "git":
        words = ["-c", "user.name=A", "-c", "user.email=a@example.org", "-C", str(shop)]
        for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "x"], ["tag", "v1"]):
            subprocess.run(["git", *words, *command], check=True)
    elif kind != "directory":
        form = {"tar.gz": "gztar", "zip": "zip"}[kind]
        source = Path(shutil.make_archive(str(tmp_path / "a"), form, shop))
    with pytest.raises(CannotWrite, match="No space left on device"):
        fetch(Source.of(str(source), "v1" if kind == "git" else ""), disk / "code")
    assert os.listdir(disk) == []
    (shop / "large").unlink()
