"""Changes of real files, reported by inotify or found by polling."""

from __future__ import annotations

import logging
import math
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from backstage.system import inotify
from backstage.system.deadlines import Deadline, until
from backstage.system.file_changes import INTERVAL, Change, FileChanges
from tests.patience import PATIENCE


@pytest.fixture
def woken() -> threading.Event:
    return threading.Event()


@pytest.fixture
def changes(tmp_path: Path, woken: threading.Event) -> Iterator[FileChanges]:
    for name in ("vassals", "run"):
        (tmp_path / name).mkdir()
    changes = FileChanges(
        tmp_path,
        woken.set,
        contents=[tmp_path / "vassals"],
        names=[tmp_path / "run"],
        writes=[tmp_path / "emperor.log"],
    )
    yield changes
    changes.close()


def seen(changes: FileChanges, *expected: Change) -> bool:
    """Whether these changes are reported, in any order and among others."""
    found: list[Change] = []

    def are_all_there() -> bool:
        found.extend(changes.take())
        return set(expected) <= set(found)

    return until(are_all_there, Deadline(PATIENCE))


def test_changes_are_told_by_the_paths_of_files(
    tmp_path: Path, changes: FileChanges, woken: threading.Event
) -> None:
    """For some directories the contents of files are watched, for others only the names."""
    (tmp_path / "emperor.log").touch()
    changes.open()
    (tmp_path / "run" / "emperor.stats").touch()
    (tmp_path / "vassals" / "blog.ini").write_text("[uwsgi]\n")
    assert woken.wait(PATIENCE)
    assert seen(
        changes,
        Change(tmp_path / "run" / "emperor.stats", complete=False),
        Change(tmp_path / "vassals" / "blog.ini", complete=True),
    )
    with (tmp_path / "emperor.log").open("a") as file:
        file.write("x\n")
    assert seen(changes, Change(tmp_path / "emperor.log", complete=False))
    changes.is_due(0.0)
    assert changes.take() == []


def test_everything_is_due_first_at_once_and_then_after_an_interval(changes: FileChanges) -> None:
    changes.open()
    assert changes.pause(100.0) == 0.0
    assert changes.is_due(100.0)
    assert not changes.is_due(100.0)
    assert changes.pause(100.0) == INTERVAL
    assert changes.is_due(100.0 + INTERVAL)


def test_what_was_not_there_is_watched_from_the_next_look_on(
    tmp_path: Path, changes: FileChanges
) -> None:
    changes.open()
    assert changes.is_due(0.0)
    (tmp_path / "emperor.log").touch()
    assert changes.is_due(INTERVAL)
    with (tmp_path / "emperor.log").open("a") as file:
        file.write("x\n")
    assert seen(changes, Change(tmp_path / "emperor.log", complete=False))


def test_a_directory_that_has_gone_makes_everything_due(
    tmp_path: Path, changes: FileChanges
) -> None:
    """It is watched again when it exists again."""
    changes.open()
    assert changes.is_due(0.0)
    (tmp_path / "vassals").rmdir()
    assert seen(changes, Change(tmp_path / "vassals", complete=True))
    (tmp_path / "vassals").mkdir()
    assert changes.is_due(0.0)
    (tmp_path / "vassals" / "blog.ini").touch()
    assert seen(changes, Change(tmp_path / "vassals" / "blog.ini", complete=True))


def test_where_the_kernel_cannot_tell_everything_is_due_more_often(
    tmp_path: Path,
    changes: FileChanges,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The warning appears once."""

    def refuse(*_: object) -> None:
        raise OSError(24, "inotify instance limit reached")

    monkeypatch.setattr(inotify, "Watch", refuse)
    with caplog.at_level(logging.WARNING, "backstage"):
        changes.open()
        for moment in (0.0, 0.1, 0.2):
            assert changes.is_due(moment)
    assert changes.interval == 0.1
    (record,) = caplog.records
    why = "because inotify is unavailable: inotify instance limit reached"
    assert record.getMessage() == f"checking {tmp_path} for changes every 0.1 s, {why}"


def test_a_directory_that_may_not_be_watched_is_looked_at(
    tmp_path: Path, changes: FileChanges, monkeypatch: pytest.MonkeyPatch
) -> None:
    """This holds even if the kernel refuses later; no descriptor stays open."""

    def used() -> tuple[int, int]:
        return threading.active_count(), len(list(Path("/proc/self/fd").iterdir()))

    before = used()
    changes.open()
    monkeypatch.setattr(os, "fsencode", lambda _: b"/nonexistent")
    assert changes.is_due(time.monotonic())
    (tmp_path / "emperor.log").touch()
    assert changes.is_due(math.inf)
    assert changes.interval == 0.1
    assert until(lambda: used() == before, Deadline(PATIENCE))
