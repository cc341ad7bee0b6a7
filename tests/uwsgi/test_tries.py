"""The failed starts of an Act are counted truly, whoever asks, and however often."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from backstage.facts.sightings import Penalty
from backstage.layout.paths import ActPaths, VenuePaths
from backstage.uwsgi import tries
from backstage.uwsgi.tries import Tries

NONE = Tries(None)


@pytest.fixture
def act(tmp_path: Path) -> ActPaths:
    paths = VenuePaths(tmp_path).act("blog")
    for directory in (paths.venue.vassals, paths.venue.run):
        directory.mkdir()
    paths.vassal.write_text("[uwsgi]\n")
    return paths


@pytest.mark.parametrize(
    ("seen", "count"),
    [
        ([(1, 50)], 1),
        ([(1, 50), (1, 50)], 1),
        # Missed ones count too; two within a second differ by the attempts alone.
        ([(1, 50), (4, 57)], 4),
        ([(1, 50), (2, 50)], 2),
        # The Emperor has forgotten its count, because another Act was started.
        ([(1, 50), (5, 60), (1, 61), (2, 62)], 7),
        ([(1, 50), (1, 61)], 2),
    ],
)
def test_the_emperors_attempts_are_counted_once_each(
    seen: list[tuple[int, float]], count: int
) -> None:
    known = NONE
    for attempts, at in seen:
        known = known.with_penalty(Penalty(attempts=attempts, retry_at=at + 2, last_attempt=at))
    assert known.count == count


def test_workers_that_die_are_counted_once_each() -> None:
    known = NONE.with_deaths([7, 8])
    assert (known.count, known.death) == (2, 8)
    assert known.with_deaths([7, 8]) == known
    assert known.with_deaths([7, 8, 9]).count == 3
    assert known.with_deaths([]) == known
    assert known.with_deaths([11, 12]).count == 4


def test_a_record_lasts_until_the_file_changes_or_it_is_forgotten(act: ActPaths) -> None:
    assert tries.recorded(act) is None
    known = replace(tries.so_far(act), count=3)
    tries.record(act, known)
    assert tries.so_far(act) == tries.recorded(act) == known
    act.vassal.write_text("[uwsgi]\nthreads = 2\n")
    assert tries.so_far(act).count == 0
    assert tries.given_up(act) == ""
    tries.record(act, replace(known, gave_up="no module"))
    act.vassal.unlink()
    assert tries.given_up(act) == "gave up after 3 tries: no module"
    tries.forget(act)
    tries.forget(act)
    assert tries.given_up(act) == ""


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"version": 1}', '{"version": null, "a": 1}']
)
def test_a_record_that_cannot_be_read_is_none(act: ActPaths, text: str) -> None:
    act.tries.write_text(text)
    assert tries.recorded(act) is None
    assert tries.given_up(act) == ""
