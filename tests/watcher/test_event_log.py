"""The file that the watcher appends to."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from backstage.logs.log_files import rotated
from backstage.watcher import event_log
from backstage.watcher.event_log import EventLog


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "events.jsonl"


def test_lines_are_added_and_only_the_owner_reads_them(path: Path) -> None:
    EventLog(path).append(b"one")
    EventLog(path).append(b"two")
    assert path.read_bytes() == b"one\ntwo\n"
    assert path.stat().st_mode & 0o777 == 0o600


def test_half_a_line_stays_alone(path: Path) -> None:
    """A full disk or a kill left it."""
    path.write_bytes(b"one\ntw")
    EventLog(path).append(b"three")
    assert path.read_bytes() == b"one\ntw\nthree\n"


def test_two_files_are_all_that_there_ever_is(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_log, "MOST", 100)
    log = EventLog(path)
    for number in range(1000):
        log.append(b"%09d" % number)
    assert {each.name for each in path.parent.iterdir()} == {path.name, f"{path.name}.1"}
    assert max(each.stat().st_size for each in path.parent.iterdir()) <= 110
    lines = [*rotated(path).read_bytes().split(), *path.read_bytes().split()]
    assert lines == [b"%09d" % number for number in range(1000 - len(lines), 1000)]
    assert len(lines) >= 10


def test_it_writes_through_no_link_and_waits_for_no_reader(path: Path) -> None:
    other = path.with_name("other")
    other.write_bytes(b"theirs")
    path.symlink_to(other)
    with pytest.raises(OSError, match="ymbolic"):
        EventLog(path).append(b"one")
    assert other.read_bytes() == b"theirs"
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(OSError, match="regular"):
        EventLog(path).append(b"one")


def test_a_full_disk_costs_lines_and_nothing_more() -> None:
    with pytest.raises(OSError, match="space"):
        _full().append(b"one")


def _full() -> EventLog:
    class Full(EventLog):
        def _open(self):  # type: ignore[no-untyped-def]
            from io import FileIO

            return FileIO("/dev/full", "r+")

    return Full(Path("/dev/full"))
