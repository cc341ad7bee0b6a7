"""The file with what people know."""

from __future__ import annotations

from pathlib import Path

import pytest

from backstage.facts.notices import Failure, Kind, Memory, Notice, Trouble, Undelivered
from backstage.facts.states import State
from backstage.layout.paths import VenuePaths
from backstage.status import notice_memory

MEMORY = Memory(
    {"blog": Trouble(State.FAILING, "why", 1.5, 2.5, 3.5, told=True)},
    (1.0, 2.0),
    (Failure("abc", "no route", 7.0),),
    (Undelivered(Notice(kind=Kind.OVER, venue="/v", at=1.5, act="blog"), ("abc",), 2),),
    9.5,
)


@pytest.fixture
def paths(tmp_path: Path) -> VenuePaths:
    paths = VenuePaths(tmp_path)
    paths.own.mkdir()
    return paths


def test_what_is_written_is_read(paths: VenuePaths) -> None:
    assert notice_memory.read(paths) == Memory()
    notice_memory.write(paths, MEMORY)
    assert notice_memory.read(paths) == MEMORY
    assert paths.notices.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"troubles": {"a": 1}}', "[" * 9000])
def test_a_broken_one_is_none(paths: VenuePaths, text: str) -> None:
    paths.notices.write_text(text)
    assert notice_memory.read(paths) == Memory()
