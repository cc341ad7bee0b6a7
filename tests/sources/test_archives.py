"""Unpacking archives: those that people and tools make, and those that attackers make."""

from __future__ import annotations

import contextlib
import gzip
import io
import os
import shutil
import stat
import struct
import subprocess
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backstage.errors import BackstageError, SourceRefused
from backstage.sources import archives
from backstage.sources.fetching import fetch
from backstage.sources.limits import Limits
from backstage.sources.source import Kind, Source

from .repository import Repository

SUFFIXES = (".tar", ".tar.gz", ".tgz", ".tar.xz", ".tar.bz2", ".zip")
MODES = {"tar": "w", "gz": "w:gz", "tgz": "w:gz", "xz": "w:xz", "bz2": "w:bz2"}
FILES = {"manage.py": b"m\n", "shop/settings.py": b"s" * 70_000, "shop/\xe4 \xf6.txt": b""}


def member(name: str, content: bytes = b"", **facts: object) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for key, value in facts.items():
        setattr(info, key, value)
    return info, content


def tar(path: Path, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    mode = MODES[path.name.rpartition(".")[2]]
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for info, content in members:
            archive.addfile(info, io.BytesIO(content))
    return path


def packed(path: Path, files: dict[str, bytes]) -> Path:
    """An archive of these files, of the format that its name has."""
    if path.suffix != ".zip":
        return tar(path, *(member(name, content) for name, content in files.items()))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def content(top: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(top)): path.read_bytes() for path in top.rglob("*") if path.is_file()
    }


@pytest.fixture
def into(tmp_path: Path) -> Path:
    (tmp_path / "release").mkdir()
    return tmp_path / "release" / "code"


def refusal(path: Path, into: Path) -> str:
    """Why an archive is not unpacked; nothing of it is left, and nothing beside it was touched."""
    before = sorted(path.parent.rglob("*"))
    with pytest.raises(SourceRefused) as caught:
        fetch(Source.of(str(path)), into)
    assert sorted(path.parent.rglob("*")) == before
    assert str(path) in str(caught.value)
    return caught.value.why


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_archive_of_each_kind_is_unpacked(tmp_path: Path, into: Path, suffix: str) -> None:
    """Whether its files are at its top, or all in one directory, which goes."""
    source = Source.of(str(packed(tmp_path / f"a b{suffix}", FILES)))
    assert source.kind is Kind.ARCHIVE
    assert fetch(source, into).what == str(source)
    assert content(into) == FILES
    nested = {f"shop-1.0/{name}": data for name, data in FILES.items()}
    fetch(Source.of(str(packed(tmp_path / f"ä{suffix}", nested))), into.with_name("two"))
    assert content(into.with_name("two")) == FILES


def test_what_a_directory_of_the_same_name_holds_is_lifted(tmp_path: Path, into: Path) -> None:
    path = packed(tmp_path / "a.zip", {"shop/shop/manage.py": b"", "shop/x": b""})
    fetch(Source.of(str(path)), into)
    assert sorted(os.listdir(into)) == ["shop", "x"]


@pytest.mark.parametrize("suffix", [".tar", ".zip"])
def test_what_git_has_archived_has_its_commit(tmp_path: Path, into: Path, suffix: str) -> None:
    made = Repository(tmp_path / "made")
    made.git("archive", "--prefix=shop/", "--output", str(tmp_path / f"a{suffix}"), "HEAD")
    assert fetch(Source.of(str(tmp_path / f"a{suffix}")), into).commit == made.first


def test_a_whole_directory_as_people_archive_it(tmp_path: Path, into: Path) -> None:
    """With its environment and what was compiled, and hard links and links within."""
    top = tmp_path / "shop"
    for name in ("venv/bin", "app/__pycache__", "node_modules/x", ".git", "assets"):
        (top / name).mkdir(parents=True)
    for name in ("venv/pyvenv.cfg", "manage.py", "app/__pycache__/x.pyc", "assets/a", ".git/HEAD"):
        (top / name).write_text(name)
    (top / "venv" / "bin" / "python").symlink_to("/usr/bin/python3")
    (top / "assets" / "b").hardlink_to(top / "assets" / "a")
    (top / "app" / "c").symlink_to("../assets/a")
    (top / "manage.py").chmod(0o6777)
    command = ["tar", "-C", str(tmp_path), "-czf", str(tmp_path / "a.tgz"), "./shop"]
    subprocess.run(command, check=True, timeout=60)
    fetch(Source.of(str(tmp_path / "a.tgz")), into)
    assert content(into).keys() == {"manage.py", "assets/a", "assets/b", "app/c"}
    assert (into / "app" / "c").read_text() == "assets/a"
    assert stat.S_IMODE((into / "manage.py").stat().st_mode) == 0o755


OUT = "would be outside of its directory"
HOSTILE = {
    "traversal": ([member("a/../../x", b"1")], OUT),
    "parent": ([member("..", type=tarfile.DIRTYPE)], OUT),
    "absolute": ([member("/tmp/x-of-an-archive", b"1")], OUT),
    "nameless": ([member("./", b"1", type=tarfile.REGTYPE)], "there is nothing in it"),
    "newline": ([member("a\nb", b"1")], r"control character: 'a\nb'"),
    "escape": ([member("a\x1b[2Jb", b"1")], r"control character: 'a\x1b[2Jb'"),
    "c1": ([member("a\x9bb", b"1")], "control character"),
    "device": ([member("sda", type=tarfile.BLKTYPE, devmajor=8)], "is a device or a pipe"),
    "terminal": ([member("tty", type=tarfile.CHRTYPE, devmajor=5)], "is a device or a pipe"),
    "pipe": ([member("pipe", type=tarfile.FIFOTYPE)], "is a device or a pipe"),
    "twice": ([member("a", b"1"), member("./a", b"2")], "it has 'a' twice"),
    "file and directory": (
        [member("a", b"1"), member("a", type=tarfile.DIRTYPE)],
        "it has 'a' twice",
    ),
    "directory and file": ([member("a/b", b"1"), member("a", b"1")], "it has 'a' twice"),
    "below a file": ([member("a", b"1"), member("a/b", b"1")], "is below 'a'"),
    "link out": (
        [member("m", b"1"), member("l", type=tarfile.SYMTYPE, linkname="../secret")],
        "in a circle: l -> ../secret",
    ),
    "absolute link": (
        [member("m", b"1"), member("l", type=tarfile.SYMTYPE, linkname="/etc/passwd")],
        "in a circle: l -> /etc/passwd",
    ),
    "link by a link": (
        [
            member("manage.py", b"1"),
            member("d/e/m", b"1"),
            member("d/up", type=tarfile.SYMTYPE, linkname=".."),
            member("d/e/l", type=tarfile.SYMTYPE, linkname="../up/../secret"),
        ],
        "in a circle: d/e/l -> ../up/../secret",
    ),
    "through a link": (
        [member("l", type=tarfile.SYMTYPE, linkname=".."), member("l/x", b"1")],
        "is below 'l', which is no directory",
    ),
    "over a link": (
        [member("l", type=tarfile.SYMTYPE, linkname="../secret"), member("l", b"1")],
        "it has 'l' twice",
    ),
    "circle": (
        [
            member("a", type=tarfile.SYMTYPE, linkname="b"),
            member("b", type=tarfile.SYMTYPE, linkname="a"),
        ],
        "in a circle: ",
    ),
    "hard link out": (
        [member("l", type=tarfile.LNKTYPE, linkname="../secret")],
        OUT,
    ),
    "hard link to a link": (
        [
            member("s", type=tarfile.SYMTYPE, linkname="../secret"),
            member("l", type=tarfile.LNKTYPE, linkname="s"),
        ],
        "which is no file of it",
    ),
    "hard link to nothing": (
        [member("l", type=tarfile.LNKTYPE, linkname="later"), member("later", b"1")],
        "which is no file of it",
    ),
    "nothing": ([], "there is nothing in it"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_tar_is_refused(tmp_path: Path, into: Path, name: str) -> None:
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "release" / "secret").write_text("secret")
    members, told = HOSTILE[name]
    assert told in refusal(tar(tmp_path / "a.tar.gz", *members), into)
    assert not Path("/tmp/x-of-an-archive").exists()


def zip_entry(name: str, mode: int = 0) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo("x")
    info.filename = info.orig_filename = name
    info.create_system = 3
    info.external_attr = mode << 16
    return info


ZIPS = {
    "traversal": ([("a/../../x", 0, b"")], OUT),
    "absolute": ([("/etc/x", 0, b"")], OUT),
    "newline": ([("a\nb", 0, b"")], "control character"),
    "windows": ([("a\\b", 0, b"")], "name of Windows"),
    "link": ([("m", 0, b""), ("l", stat.S_IFLNK | 0o777, b"/etc/passwd")], "in a circle: l"),
    "device": ([("m", stat.S_IFCHR | 0o777, b"")], "is a device or a pipe"),
    "through": (
        [("l", stat.S_IFLNK | 0o777, b".."), ("l/x", 0, b"")],
        "is below 'l', which is no directory",
    ),
}


@pytest.mark.parametrize("name", ZIPS)
def test_a_hostile_zip_is_refused(tmp_path: Path, into: Path, name: str) -> None:
    entries, told = ZIPS[name]
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for file, mode, data in entries:
            archive.writestr(zip_entry(file, mode), data)
    assert told in refusal(tmp_path / "a.zip", into)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_zip_that_has_a_name_twice_is_refused(tmp_path: Path, into: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("manage.py", "good")
        archive.writestr("manage.py", "bad")
    assert "it has 'manage.py' twice" in refusal(tmp_path / "a.zip", into)


def test_a_name_that_ends_early_is_refused(tmp_path: Path, into: Path) -> None:
    """What comes behind a NUL is not seen by all who look at it."""
    packed(tmp_path / "a.zip", {"manage.py?.txt": b""})
    data = (tmp_path / "a.zip").read_bytes()
    (tmp_path / "a.zip").write_bytes(data.replace(b"manage.py?", b"manage.py\0"))
    assert "control character" in refusal(tmp_path / "a.zip", into)


def test_an_encrypted_zip_is_refused(tmp_path: Path, into: Path) -> None:
    packed(tmp_path / "a.zip", {"manage.py": b"x"})
    data = bytearray((tmp_path / "a.zip").read_bytes())
    at = data.index(b"PK\x01\x02")
    struct.pack_into("<H", data, at + 8, 1)
    (tmp_path / "a.zip").write_bytes(data)
    assert "'manage.py' in it is encrypted" in refusal(tmp_path / "a.zip", into)


SMALL = Limits(members=10, size=3_000_000, ratio=100, freely=1_000_000)


def bombs() -> dict[str, tuple[str, Callable[[Path], object], str]]:
    def header(path: Path) -> None:
        # A name that is 100 MB long, as its header says.
        info = member("x", b"", type=tarfile.GNUTYPE_LONGNAME, size=100_000_000)[0]
        data = info.tobuf(tarfile.GNU_FORMAT) + bytes(100_000_000)
        path.write_bytes(gzip.compress(data, 1))

    def sparse(path: Path) -> None:
        with (path.parent / "hole").open("wb") as file:
            file.truncate(5_000_000_000)
        words = ["tar", "-C", str(path.parent), "--sparse", "-czf", str(path), "hole"]
        subprocess.run(words, check=True, timeout=60)
        (path.parent / "hole").unlink()

    large, files = {"a": bytes(2_000_000)}, {str(number): b"" for number in range(11)}
    parts = {str(number): os.urandom(400_000) for number in range(8)}
    return {
        "tar of zeros": ("a.tar.gz", lambda path: packed(path, large), "100 times its own size"),
        "xz of zeros": ("a.tar.xz", lambda path: packed(path, large), "100 times its own size"),
        "zip of zeros": ("a.zip", lambda path: packed(path, large), "100 times its own size"),
        "tar of parts": ("a.tar", lambda path: packed(path, parts), "more than 2 MB"),
        "zip of parts": ("a.zip", lambda path: packed(path, parts), "more than 2 MB"),
        "tar of many": ("a.tar", lambda path: packed(path, files), "more than 10 members"),
        "zip of many": ("a.zip", lambda path: packed(path, files), "more than 10 members"),
        "long header": ("a.tar.gz", header, "longer than any can be"),
        "hole": ("a.tar.gz", sparse, "more than 2 MB"),
    }


@pytest.mark.parametrize("name", bombs())
def test_a_bomb_is_refused_before_it_is_large(tmp_path: Path, name: str) -> None:
    file, make, told = bombs()[name]
    make(tmp_path / file)
    (tmp_path / "code").mkdir()
    with pytest.raises(SourceRefused, match=told):
        archives.unpack(tmp_path / file, tmp_path / "code", SMALL)
    assert sum(len(data) for data in content(tmp_path / "code").values()) <= SMALL.size


def test_a_zip_that_lies_about_a_size_is_refused(tmp_path: Path, into: Path) -> None:
    packed(tmp_path / "a.zip", {"manage.py": b"x" * 1000})
    data = bytearray((tmp_path / "a.zip").read_bytes())
    at = data.index(b"PK\x01\x02")
    struct.pack_into("<I", data, at + 24, 5000)
    (tmp_path / "a.zip").write_bytes(data)
    assert "cut off" in refusal(tmp_path / "a.zip", into)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("share", [0.0, 0.4, 0.9, 0.99])
def test_an_archive_that_is_cut_off_is_refused(
    tmp_path: Path, into: Path, suffix: str, share: float
) -> None:
    """`tarfile` takes the half of one for a whole."""
    files = {str(number): os.urandom(3000) for number in range(20)}
    path = packed(tmp_path / f"a{suffix}", files)
    data = path.read_bytes()
    # The padding of a tar is not missed.
    least = 20 * 3584 if suffix == ".tar" else len(data)
    path.write_bytes(data[: int(least * share)])
    assert refusal(path, into)


@pytest.mark.parametrize("suffix", [".tar", ".tar.gz"])
def test_a_tar_that_is_damaged_in_the_middle_is_refused(
    tmp_path: Path, into: Path, suffix: str
) -> None:
    path = packed(tmp_path / "a.tar", {"one": b"1" * 512, "two": b"2", "three": b"3"})
    data = bytearray(path.read_bytes())
    data[1024:1034] = b"\xff" * 10
    path.write_bytes(data)
    if suffix == ".tar.gz":
        subprocess.run(["gzip", str(path)], check=True, timeout=60)
    assert "damaged in the middle" in refusal(tmp_path / f"a{suffix}", into)


def test_a_flipped_bit_is_seen(tmp_path: Path, into: Path) -> None:
    for suffix in (".zip", ".tar.gz", ".tar.xz", ".tar.bz2"):
        path = packed(tmp_path / f"a{suffix}", {"a": os.urandom(5000)})
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
        assert "damaged" in refusal(path, into), suffix


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_what_is_no_archive_is_refused(tmp_path: Path, into: Path, suffix: str) -> None:
    (tmp_path / f"a{suffix}").write_bytes(b"<html>" * 500)
    assert "it is damaged, or no" in refusal(tmp_path / f"a{suffix}", into)


NAMES = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12) | st.lists(
    st.sampled_from(["..", ".", "", "a", "b", "\\", "ä", "\u202e", "\x00", "\x1b", "l"]),
    max_size=4,
).map("/".join)
KINDS = st.sampled_from([tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE])


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.tuples(NAMES, KINDS, NAMES), max_size=5))
def test_whatever_names_a_tar_has_all_stays_within(
    tmp_path: Path, entries: list[tuple[str, bytes, str]]
) -> None:
    """Also what its links lead to; the rest of the disk is as it was."""
    shutil.rmtree(tmp_path / "x", ignore_errors=True)
    (tmp_path / "x" / "release").mkdir(parents=True)
    (tmp_path / "x" / "a").write_text("secret")
    members = [
        member(name, b"1" if kind == tarfile.REGTYPE else b"", type=kind, linkname=target)
        for name, kind, target in entries
    ]
    path = tar(tmp_path / "x" / "b.tar", *members)
    code = tmp_path / "x" / "release" / "code"
    before = path.read_bytes()
    with contextlib.suppress(SourceRefused):
        fetch(Source.of(str(path)), code)
        for found in code.rglob("*"):
            assert found.resolve().is_relative_to(code)
            assert found.is_symlink() or found.is_dir() or found.read_bytes() == b"1"
    assert sorted(os.listdir(tmp_path / "x")) == ["a", "b.tar", "release"]
    assert path.read_bytes() == before
    assert set(os.listdir(code.parent)) <= {"code"}
    assert (tmp_path / "x" / "a").read_text() == "secret"


@pytest.mark.parametrize("suffix", [".tar", ".tar.gz", ".zip"])
def test_whatever_bytes_an_archive_has_it_is_unpacked_or_refused(
    tmp_path: Path, suffix: str
) -> None:
    seed = packed(tmp_path / f"seed{suffix}", FILES).read_bytes()
    code = tmp_path / "code"

    @settings(max_examples=150, deadline=None)
    @given(st.binary(max_size=20), st.integers(0, len(seed)), st.integers(0, 600))
    def check(put: bytes, at: int, less: int) -> None:
        path = tmp_path / f"a{suffix}"
        path.write_bytes(seed[:at] + put + seed[at + less :])
        shutil.rmtree(code, ignore_errors=True)
        with contextlib.suppress(BackstageError):
            fetch(Source.of(str(path)), code)

    check()
