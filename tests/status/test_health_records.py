"""The record of an Act's health: an Act could write anything there."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from backstage.facts.health import Generation, HealthRecord
from backstage.layout.paths import ActPaths, VenuePaths
from backstage.status import health_records
from backstage.status.wording import one_line
from backstage.system import processes

NOW = Generation("812:5.0", 1, 7, frozenset({"813:5.1", "814:5.1"}))


@pytest.fixture
def blog(tmp_path: Path) -> ActPaths:
    venue = VenuePaths(tmp_path)
    venue.run.mkdir()
    return venue.act("blog")


def record(**changes: object) -> HealthRecord:
    moment = processes.boot_clock()
    made = HealthRecord(
        generation=NOW, at=moment, since=1_800_000_000.5, ok=False, why="/ says 500", asked=3
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def test_what_is_written_is_read(blog: ActPaths) -> None:
    written = record()
    health_records.write(blog, written)
    assert health_records.read(blog, NOW) == written


@pytest.mark.parametrize(
    ("now", "holds"),
    [
        (NOW, True),
        (replace(NOW, workers=frozenset({"814:5.1", "900:7.0"})), True),
        (replace(NOW, workers=frozenset({"813:9.9"})), False),
        (replace(NOW, workers=frozenset()), False),
    ],
)
def test_it_holds_while_one_of_the_workers_is_there(
    blog: ActPaths, now: Generation, holds: bool
) -> None:
    """The master goes on counting: a chain reload replaces workers only."""
    health_records.write(blog, record())
    found = health_records.read(blog, now)
    assert found
    assert found.generation.lasts(now) is holds
    assert found.asked == 3


@pytest.mark.parametrize("change", [{"respawns": 2}, {"loaded": 8}, {"master": "812:6.0"}])
def test_after_a_reload_it_counts_for_nothing(blog: ActPaths, change: dict[str, object]) -> None:
    health_records.write(blog, record())
    assert health_records.read(blog, replace(NOW, **change)) is None  # type: ignore[arg-type]


def test_a_record_from_before_the_system_booted_counts_for_nothing(blog: ActPaths) -> None:
    health_records.write(blog, record(at=processes.boot_clock() + 1000))
    assert health_records.read(blog, NOW) is None


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"7", b"{}", b"\xff\xfe", b"[" * 60_000, b'{"workers": 3}']
)
def test_anything_else_counts_for_nothing(blog: ActPaths, content: bytes) -> None:
    blog.health.write_bytes(content)
    assert health_records.read(blog, NOW) is None


def test_neither_a_link_nor_a_pipe_nor_a_directory_is_read(blog: ActPaths, tmp_path: Path) -> None:
    health_records.write(blog, record())
    other = tmp_path / "other"
    blog.health.rename(other)
    blog.health.symlink_to(other)
    assert health_records.read(blog, NOW) is None
    blog.health.unlink()
    os.mkfifo(blog.health)
    assert health_records.read(blog, NOW) is None
    blog.health.unlink()
    blog.health.mkdir()
    assert health_records.read(blog, NOW) is None


def test_a_reason_cannot_change_the_terminal(blog: ActPaths) -> None:
    health_records.write(blog, record(why="\x1b[2J\nall well\u202e" + "x" * 10_000))
    found = health_records.read(blog, NOW)
    assert found
    assert found.why.startswith("[2J all well x")
    assert len(found.why) == 300


@pytest.mark.parametrize(
    ("text", "line"), [("a\nb", "a b"), ("\x00\x07 a \r", "a"), ("é → ok", "é → ok"), ("", "")]
)
def test_one_line(text: str, line: str) -> None:
    assert one_line(text) == line
