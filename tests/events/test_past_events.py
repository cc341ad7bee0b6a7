"""What is read of the past, in both files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from backstage.events import lines, past_events
from backstage.events.event import Event
from backstage.facts.states import State
from backstage.layout.paths import VenuePaths
from backstage.logs.log_files import LogFile, rotated


def event(at: float) -> Event:
    return Event("blog", State.RUNNING, State.FAILING, at, "")


def text(*moments: float) -> bytes:
    return b"".join(lines.line_of(event(at)) + b"\n" for at in moments)


@pytest.fixture
def paths(tmp_path: Path) -> VenuePaths:
    paths = VenuePaths(tmp_path)
    paths.log.mkdir()
    return paths


def moments(paths: VenuePaths, since: float | None = None) -> list[float]:
    return [event.at for event in past_events.read(paths, since)]


def test_a_venue_without_a_past(paths: VenuePaths) -> None:
    assert moments(paths) == []


def test_the_rotated_file_comes_first(paths: VenuePaths) -> None:
    rotated(paths.events).write_bytes(text(1, 2))
    assert moments(paths) == [1, 2]
    paths.events.write_bytes(text(3, 4))
    assert moments(paths) == [1, 2, 3, 4]
    assert moments(paths, since=2) == [2, 3, 4]


def test_half_a_line_costs_nothing_else(paths: VenuePaths) -> None:
    paths.events.write_bytes(text(1)[:40] + b"\n" + text(2) + b"\xff\0\n" + text(3)[:-1])
    assert moments(paths) == [2]
    paths.events.write_bytes(text(1) + text(2)[:-30])
    assert moments(paths) == [1]


def test_a_rotation_meanwhile_loses_nothing(paths: VenuePaths) -> None:
    """What is read once is not read again."""
    paths.events.write_bytes(text(1, 2))
    reading = past_events.read(paths, None)
    assert next(reading).at == 1
    paths.events.rename(rotated(paths.events))
    paths.events.write_bytes(text(3))
    assert [each.at for each in reading] == [2]
    assert moments(paths) == [1, 2, 3]


def test_a_rotation_between_two_files_tells_nothing_twice(
    paths: VenuePaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths.events.write_bytes(text(1, 2))

    class Rotating(LogFile):
        def __init__(self, path: Path) -> None:
            super().__init__(path)
            if path == paths.events:
                path.rename(rotated(path))

    monkeypatch.setattr(past_events, "LogFile", Rotating)
    assert moments(paths) == [1, 2]


def test_nobody_waits_for_a_pipe(paths: VenuePaths) -> None:
    os.mkfifo(paths.events)
    rotated(paths.events).write_bytes(text(1))
    assert moments(paths) == [1]
