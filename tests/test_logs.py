"""The ends of log files, also of broken, rotated and very long ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from backstage.logs import size, tail


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
        # Shorter than it was when the mark was made: it was rotated.
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
    log.write_text("".join(f"line {number}\n" for number in range(200_000)))
    assert tail(log, 2) == "line 199998\nline 199999"
    assert len(tail(log, 200_000)) <= 64 * 1024
    assert tail(log, 5, since=size(log) - len("line 199999\n")) == "line 199999"


def test_no_log_has_no_lines(tmp_path: Path) -> None:
    assert tail(tmp_path / "none.log", 5) == ""
    assert size(tmp_path / "none.log") == 0
