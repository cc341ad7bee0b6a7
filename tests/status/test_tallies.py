"""The file with the numbers of an Act."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from backstage.facts.past import Tally
from backstage.facts.states import State
from backstage.layout.paths import ActPaths, VenuePaths
from backstage.status import tallies

TALLY = Tally(
    since=1000.5,
    counted=2000.25,
    state=State.FAILING,
    pid=42,
    running=True,
    restarts=3,
    steps={1: (2, 3.5), 7: (0, 900.0)},
)


@pytest.fixture
def act(tmp_path: Path) -> ActPaths:
    act = VenuePaths(tmp_path).act("blog")
    act.past.parent.mkdir(parents=True)
    return act


def test_what_is_written_is_read(act: ActPaths) -> None:
    assert tallies.read(act) is None
    tallies.write(act, TALLY)
    assert tallies.read(act) == TALLY
    assert list(tallies.names(act.venue)) == ["blog"]
    assert act.past.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", "1", "{}", "[" * 9000, '{"steps": {}}', "\xff"],
)
def test_a_broken_one_is_none(act: ActPaths, text: str) -> None:
    act.past.write_text(text, encoding="latin-1")
    assert tallies.read(act) is None


def test_nobody_waits_for_a_pipe(act: ActPaths) -> None:
    os.mkfifo(act.past)
    assert tallies.read(act) is None


def test_the_longest_fits(act: ActPaths) -> None:
    steps = {1_995_399 + step: (10_000, 899.123) for step in range(98)}
    full = Tally(since=1.0, counted=1.0, steps=steps)
    tallies.write(act, full)
    assert tallies.read(act) == full
