"""Writing files so that no reader sees an incomplete one, and none is lost."""

from __future__ import annotations

import errno
import os
import resource
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from backstage.errors import CannotWrite, UnsafeDirectory
from backstage.system.files import (
    hand_over,
    hold_lock,
    lock_holder,
    make_private,
    open_regular,
    read_regular,
    read_whole,
    refuse_writable_by_others,
    remove_tree,
    telling_disk_trouble,
    write_atomically,
)

# The suffixes of vassal files for uWSGI, which accepts a leading dot too.
VASSAL_SUFFIXES = {".ini", ".xml", ".yml", ".yaml", ".js", ".json"}


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """Make writing fail in the middle, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("umask", [0o000, 0o077])
@pytest.mark.parametrize("mode", [0o600, 0o644, 0o755])
def test_permissions_are_those_asked_for(tmp_path: Path, mode: int, umask: int) -> None:
    """The caller's umask and the old file's permissions do not matter."""
    path = tmp_path / "file"
    path.touch(mode=0o666)
    before = os.umask(umask)
    try:
        write_atomically(path, "new\n", mode=mode)
    finally:
        os.umask(before)
    assert mode_of(path) == mode
    assert path.read_text() == "new\n"


@pytest.mark.parametrize(
    ("content", "data"),
    [("", b""), ("für\r\nuns", "für\r\nuns".encode()), (b"\x00\xff\n", b"\x00\xff\n")],
)
def test_content_arrives_byte_for_byte(tmp_path: Path, content: str | bytes, data: bytes) -> None:
    write_atomically(tmp_path / "file", content)
    assert (tmp_path / "file").read_bytes() == data
    assert os.listdir(tmp_path) == ["file"]


def test_it_is_whole_and_on_the_disk_before_it_gets_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the meantime the Emperor sees the old file and nothing else that looks like a vassal."""
    path = tmp_path / "blog.ini"
    path.write_text("old")
    seen = []
    sync = os.fsync

    def watching_sync(descriptor: int) -> None:
        seen.extend(sorted((file.suffix, file.read_text()) for file in tmp_path.iterdir()))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", watching_sync)
    write_atomically(path, "new")
    (suffix, content), old = sorted(seen, key=lambda entry: entry[0] == ".ini")
    assert (content, old) == ("new", (".ini", "old"))
    assert suffix not in VASSAL_SUFFIXES


def test_a_failure_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "blog.ini"
    path.write_text("old")
    path.chmod(0o640)
    with files_of_at_most(10), pytest.raises(OSError, match="File too large") as caught:
        write_atomically(path, "much too long for this disk")
    assert caught.value.errno == errno.EFBIG
    assert path.read_text() == "old"
    assert mode_of(path) == 0o640
    assert os.listdir(tmp_path) == ["blog.ini"]


def test_nothing_is_left_where_the_name_cannot_be_had(tmp_path: Path) -> None:
    (tmp_path / "taken" / "inside").mkdir(parents=True)
    with pytest.raises(OSError, match="taken"):
        write_atomically(tmp_path / "taken", "new")
    assert os.listdir(tmp_path) == ["taken"]


def test_a_file_is_read_unless_somebody_writes_in_it(tmp_path: Path) -> None:
    path = tmp_path / "blog.ini"
    path.write_bytes(b"whole\r\n")
    assert read_whole(path) == b"whole\r\n"
    with path.open("rb"):
        assert read_whole(path) == b"whole\r\n"
    with path.open("ab"), pytest.raises(BlockingIOError):
        read_whole(path)
    assert read_whole(path) == b"whole\r\n"


def test_who_reads_sees_all_or_nothing_of_what_is_written_in_place(tmp_path: Path) -> None:
    """The kernel's signals neither end nor delay the reader or the writer."""
    path = tmp_path / "blog.ini"
    path.write_bytes(b"a" * 4096)
    write = (
        "import os, sys\n"
        "for count in range(2000):\n"
        "    with open(sys.argv[1], 'wb', buffering=0) as file:\n"
        "        file.write(b'ab'[count % 2 : count % 2 + 1] * 2048)\n"
        "        file.write(b'ab'[count % 2 : count % 2 + 1] * 2048)\n"
    )
    writer = subprocess.Popen([sys.executable, "-c", write, path])
    try:
        seen = 0
        while writer.poll() is None:
            with suppress(BlockingIOError):
                assert read_whole(path) in {b"a" * 4096, b"b" * 4096}
                seen += 1
    finally:
        writer.kill()
        writer.wait()
    assert writer.returncode == 0
    assert seen > 1


def test_where_the_kernel_does_not_tell_a_file_is_read_as_it_is() -> None:
    """The kernel grants no lease on this file."""
    assert read_whole(Path("/proc/version")) == Path("/proc/version").read_bytes()


def test_a_lock_is_held_until_its_process_ends(tmp_path: Path) -> None:
    """The holder may ask who holds it: the kernel drops a lock when its file is closed once."""
    lock = tmp_path / "lock"
    code = (
        "import sys; from pathlib import Path; from backstage.system.files import *\n"
        "lock = Path(sys.argv[1]); print(hold_lock(lock), lock_holder(lock), flush=True)\n"
        "sys.stdin.read()"
    )
    words = [sys.executable, "-c", code, str(lock)]
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == f"True {holder.pid}\n"
        assert lock_holder(lock) == holder.pid
        assert not hold_lock(lock)
        holder.kill()
    assert lock_holder(lock) is None
    assert lock.stat().st_mode & 0o777 == 0o600


def test_nobody_is_waited_for_to_read_a_file(tmp_path: Path) -> None:
    """A user who owns a directory may put a pipe there, which is open only when both ends are."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(FileNotFoundError):
        open_regular(tmp_path / "pipe")
    with pytest.raises(IsADirectoryError):
        open_regular(tmp_path)
    (tmp_path / "file").write_text("content")
    (tmp_path / "link").symlink_to("file")
    for name in ("file", "link"):
        with os.fdopen(open_regular(tmp_path / name)) as file:
            assert file.read() == "content"


def test_a_small_file_is_read_up_to_a_limit_and_no_link_is_followed(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"content")
    assert read_regular(path, 100) == (b"content", path.stat())
    assert read_regular(path, 4)[0] == b"cont"
    (tmp_path / "link").symlink_to("file")
    with pytest.raises(OSError, match="symbolic links"):
        read_regular(tmp_path / "link", 100)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(FileNotFoundError):
        read_regular(tmp_path / "pipe", 100)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a directory of another user")
def test_a_link_in_another_users_directory_is_not_followed(tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (tmp_path / "secret").write_text("ours")
    (theirs / "log").symlink_to(tmp_path / "secret")
    os.chown(theirs, 65534, 65534)
    with pytest.raises(OSError, match="symbolic links"):
        open_regular(theirs / "log")
    (theirs / "log").unlink()
    (theirs / "log").write_text("theirs")
    with os.fdopen(open_regular(theirs / "log")) as file:
        assert file.read() == "theirs"


def test_a_private_directory_is_private_also_if_it_was_not(tmp_path: Path) -> None:
    make_private(tmp_path / "deep" / "new")
    (tmp_path / "old").mkdir(mode=0o755)
    make_private(tmp_path / "old")
    assert mode_of(tmp_path / "deep" / "new") == mode_of(tmp_path / "old") == 0o700


def test_removing_takes_what_is_there_and_not_what_it_points_to(tmp_path: Path) -> None:
    goal = tmp_path / "goal"
    goal.mkdir()
    (goal / "kept").touch()
    tree = tmp_path / "tree"
    (tree / "deep").mkdir(parents=True)
    (tree / "deep" / "link").symlink_to(goal)
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(goal)
    for name in ("tree", "file", "link", "nothing"):
        remove_tree(tmp_path / name)
    assert os.listdir(tmp_path) == ["goal"]
    assert os.listdir(goal) == ["kept"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_tree_is_handed_over_with_its_links_and_not_with_what_they_name(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").touch()
    tree = tmp_path / "tree"
    (tree / "deep" / "deeper").mkdir(parents=True)
    (tree / "deep" / "file").touch()
    (tree / "deep" / "to a directory").symlink_to(outside)
    (tree / "deep" / "to a file").symlink_to(outside / "secret")
    (tree / "to nowhere").symlink_to(tmp_path / "nothing")
    hand_over(tree, 12345, 12346)
    for path in (tree, *tree.rglob("*")):
        assert (path.lstat().st_uid, path.lstat().st_gid) == (12345, 12346), path
    for path in (tmp_path, outside, outside / "secret"):
        assert (path.stat().st_uid, path.stat().st_gid) == (0, 0), path


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_the_top_of_a_tree_is_handed_over_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise its new owner could replace a directory with a link in the meantime."""
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "file").touch()
    given: list[str] = []
    chown = os.chown

    def watching_chown(path: str | Path, *owner: int, **options: object) -> None:
        given.append(Path(path).name)
        chown(path, *owner, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "chown", watching_chown)
    hand_over(tmp_path, 12345, 12346)
    assert given == ["file", "deep", tmp_path.name]


@pytest.mark.parametrize("mode", [0o700, 0o755, 0o555, 0o750])
def test_a_directory_of_our_own_will_do(tmp_path: Path, mode: int) -> None:
    tmp_path.chmod(mode)
    refuse_writable_by_others(tmp_path)


@pytest.mark.parametrize(
    ("mode", "who"), [(0o775, "the group"), (0o757, "everybody"), (0o777, "everybody")]
)
def test_a_directory_that_others_can_write_is_refused(tmp_path: Path, mode: int, who: str) -> None:
    """The command in the error message fixes it."""
    directory = tmp_path / "two words"
    directory.mkdir()
    directory.chmod(mode)
    with pytest.raises(UnsafeDirectory, match=f"can be written by {who}") as caught:
        refuse_writable_by_others(directory)
    assert caught.value.path == directory
    assert os.system(caught.value.remedy) == 0
    refuse_writable_by_others(directory)


def test_a_directory_of_root_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """This holds for every user."""
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    assert Path("/usr").stat().st_uid == 0
    refuse_writable_by_others(Path("/usr"))


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.ENOSPC, "df -h"),
        (errno.EDQUOT, "df -h"),
        (errno.EROFS, "mounted read-only"),
        (errno.EACCES, "ls -ld"),
        (errno.ENOTDIR, "ls -ld"),
    ],
)
def test_disk_trouble_is_told_with_its_cure(number: int, remedy: str) -> None:
    with pytest.raises(CannotWrite) as caught, telling_disk_trouble("cannot make blog"):
        raise OSError(number, os.strerror(number), "/srv/blog")
    told = str(caught.value)
    assert told.startswith(f"cannot make blog: {os.strerror(number)} at /srv/blog. ")
    assert remedy in told
    assert (caught.value.errno, caught.value.filename) == (number, "/srv/blog")


def test_a_full_disk_is_told_although_the_system_names_no_file() -> None:
    with (
        pytest.raises(CannotWrite, match=r"^writing: No space left on device\. Free some"),
        telling_disk_trouble("writing"),
    ):
        os.write(descriptor := os.open("/dev/full", os.O_WRONLY), b"x")
    os.close(descriptor)


@pytest.mark.parametrize("error", [ValueError("x"), KeyError("x"), OSError("without a number")])
def test_what_is_no_disk_trouble_passes_as_it_is(error: Exception) -> None:
    with pytest.raises(type(error)) as caught, telling_disk_trouble("writing"):
        raise error
    assert caught.value is error
