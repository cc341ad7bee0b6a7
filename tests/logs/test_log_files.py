"""The ends of log files and the lines added to them, even to broken, rotated and very long ones."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from backstage.logs.log_files import GrowingLog, LogFile, rotated, size, tail

LONG = "".join(f"line {number}\n" for number in range(200_000))


@pytest.mark.parametrize(
    ("content", "lines", "since", "expected"),
    [
        (b"", 5, 0, ""),
        (b"one\ntwo\nthree\n", 2, 0, "two\nthree"),
        (b"one\ntwo\nthree", 2, 0, "two\nthree"),
        (b"one\n", 5, 0, "one"),
        (b"one\ntwo\nthree\n", 5, 4, "two\nthree"),
        (b"one\ntwo\nthree\n", 1, 4, "three"),
        (b"one\ntwo\n", 5, 8, ""),
        # Shorter than at the time of the mark: it was rotated.
        (b"new\n", 5, 5000, "new"),
        (b"caf\xe9\n", 5, 0, "caf\N{REPLACEMENT CHARACTER}"),
    ],
)
def test_tail(tmp_path: Path, content: bytes, lines: int, since: int, expected: str) -> None:
    log = tmp_path / "blog.log"
    log.write_bytes(content)
    assert tail(log, lines, since=since) == expected
    assert size(log) == len(content)


def test_only_the_end_of_a_long_log_is_read(tmp_path: Path) -> None:
    log = tmp_path / "blog.log"
    log.write_text(LONG)
    assert tail(log, 2) == "line 199998\nline 199999"
    assert len(tail(log, 200_000)) <= 64 * 1024
    assert tail(log, 5, since=size(log) - len("line 199999\n")) == "line 199999"


def test_no_log_has_no_lines(tmp_path: Path) -> None:
    assert tail(tmp_path / "none.log", 5) == ""
    assert size(tmp_path / "none.log") == 0


def test_what_an_act_put_in_its_place_has_no_lines(tmp_path: Path) -> None:
    """A link to itself, a directory, a socket."""
    loop, directory, place = (tmp_path / name for name in ("loop.log", "dir.log", "sock.log"))
    loop.symlink_to(loop)
    directory.mkdir()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(place))
        assert [tail(each, 5) for each in (loop, directory, place)] == ["", "", ""]
        assert size(loop) == 0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "blog.log"


@pytest.fixture
def growing(path: Path) -> Iterator[GrowingLog]:
    with closing(GrowingLog(path)) as log:
        yield log


def add(path: Path, text: str) -> None:
    with path.open("a", newline="") as file:
        file.write(text)


def news(log: GrowingLog) -> list[str]:
    return list(log.news())


@pytest.mark.parametrize(
    ("content", "lines", "expected"),
    [
        ("", 2, (0, 0)),
        ("\n", 2, (0, 1)),
        ("one\ntwo\nthree\n", 2, (4, 2)),
        ("one\ntwo\nthree", 2, (4, 2)),
        ("one\ntwo\nthree\n", 3, (0, 3)),
        ("one\ntwo\nthree\n", 9, (0, 3)),
        ("one\ntwo\nhalf", 9, (0, 3)),
        ("one\ntwo\n", 0, (8, 0)),
        # This one must be returned once it is complete.
        ("one\ntwo\nhalf", 0, (8, 0)),
        (LONG, 2, (len(LONG) - len("line 199998\n") * 2, 2)),
        (LONG, 199_999, (len("line 0\n"), 199_999)),
        (LONG, 300_000, (0, 200_000)),
        ("x" * 200_000 + "\n", 1, (0, 1)),
        ("one\n" + "x" * 200_000, 1, (4, 1)),
    ],
)
def test_where_the_last_lines_begin(
    path: Path, content: str, lines: int, expected: tuple[int, int]
) -> None:
    path.write_text(content)
    with closing(LogFile(path)) as file:
        assert file.last(lines) == expected


def test_only_the_end_of_a_huge_log_is_read(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only a few blocks of half a gigabyte are read."""
    with path.open("wb") as file:
        file.seek(500_000_000)
        file.write(b"\n" + LONG.encode())
    read = 0
    pread = os.pread

    def counted(descriptor: int, length: int, at: int) -> bytes:
        nonlocal read
        read += length
        return pread(descriptor, length, at)

    monkeypatch.setattr(os, "pread", counted)
    with closing(LogFile(path)) as file:
        file.position, found = file.last(3)
        assert found == 3
        assert list(file.lines()) == ["line 199997", "line 199998", "line 199999"]
    assert read < 100_000


def test_lines_of_all_kinds(path: Path, growing: GrowingLog) -> None:
    """Only newlines end a line; invalid UTF-8 does no harm."""
    path.write_bytes(b"caf\xe9\r\n\n\x1b[31mred\x0b\x85\xe2\x80\xa8 \x00\n")
    assert news(growing) == ["caf\ufffd", "", "\x1b[31mred\x0b\ufffd\u2028 \x00"]


def test_a_line_that_is_half_written_is_held_until_it_is_complete(
    path: Path, growing: GrowingLog
) -> None:
    path.write_bytes(b"one\nt\xc3")
    assert news(growing) == ["one"]
    with path.open("ab") as file:
        file.write(b"\xa4")
    assert news(growing) == []
    add(path, "!\nthree")
    assert news(growing) == ["t\N{LATIN SMALL LETTER A WITH DIAERESIS}!"]
    assert growing.file
    assert list(growing.file.rest()) == ["three"]


def test_a_line_without_an_end_comes_in_pieces(path: Path, growing: GrowingLog) -> None:
    path.write_bytes(b"x" * 3_000_000 + b"\n")
    lines = news(growing)
    assert "".join(lines) == "x" * 3_000_000
    assert max(map(len, lines)) < 1_100_000


def test_a_log_that_comes_later(path: Path, growing: GrowingLog) -> None:
    assert news(growing) == []
    path.write_text("one\n")
    assert news(growing) == ["one"]
    assert news(growing) == []


def test_nothing_is_lost_when_a_log_is_rotated(path: Path, growing: GrowingLog) -> None:
    """Lines added before the rotation and an incomplete last line are kept."""
    path.write_text("one\n")
    assert news(growing) == ["one"]
    add(path, "two\nhalf")
    path.rename(rotated(path))
    assert news(growing) == ["two"]
    add(rotated(path), " of it")
    path.write_text("three\n")
    assert news(growing) == ["half of it", "three"]
    rotated(path).unlink()
    path.rename(rotated(path))
    add(path, "four\n")
    assert news(growing) == ["four"]


def test_a_log_that_was_truncated_begins_anew(path: Path, growing: GrowingLog) -> None:
    path.write_text("one\ntwo\nhalf")
    assert news(growing) == ["one", "two"]
    os.truncate(path, 0)
    assert news(growing) == ["half"]
    add(path, "three\n")
    assert news(growing) == ["three"]


def test_who_writes_on_after_a_truncation_leaves_no_zeros(path: Path, growing: GrowingLog) -> None:
    """uWSGI does so in a rotated log, which it opens without O_APPEND."""
    with path.open("w") as file:
        file.write("one\n")
        file.flush()
        assert news(growing) == ["one"]
        os.truncate(path, 0)
        assert news(growing) == []
        file.write("two\n")
        file.flush()
        assert path.read_bytes() == b"\0\0\0\0two\n"
        assert news(growing) == ["two"]


def test_a_log_that_was_removed_comes_back(path: Path, growing: GrowingLog) -> None:
    path.write_text("one\n")
    assert news(growing) == ["one"]
    path.unlink()
    assert news(growing) == []
    path.write_text("two\n")
    assert news(growing) == ["two"]


def test_what_cannot_be_read_is_said_once(
    path: Path, growing: GrowingLog, caplog: pytest.LogCaptureFixture
) -> None:
    path.symlink_to(path)
    assert news(growing) == news(growing) == []
    assert [record.getMessage() for record in caplog.records] == [
        f"{path} cannot be read: Too many levels of symbolic links"
    ]
    path.unlink()
    path.write_text("one\n")
    assert news(growing) == ["one"]


def test_of_a_file_full_of_holes_only_the_end_is_read(tmp_path: Path) -> None:
    """An Act can make its log longer than any disk."""
    path = tmp_path / "log"
    with path.open("wb") as file:
        file.truncate(2**42)
    log = LogFile(path)
    try:
        assert log.last(3)[0] == 2**42 - 3 * 1024**2
        assert log.line_start(2**42) == 2**42 - 1024**2
    finally:
        log.close()
