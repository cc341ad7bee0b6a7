"""Retiring a Venue and bringing it back, without anything that runs: all or nothing."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from backstage.cli.exits import Exit
from backstage.cli.program import run
from backstage.doctor import directories
from backstage.errors import NotAVenue
from backstage.layout import registry, venue_retirement
from backstage.layout.paths import VenuePaths
from backstage.operations import retire_venue
from backstage.operations.new_venue import configure
from backstage.venue import Venue

forks = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")


@pytest.fixture
def venue(tmp_path: Path) -> Venue:
    paths = VenuePaths(tmp_path / "house")
    paths.top.mkdir()
    configure(paths)
    registry.register(paths.top)
    return Venue(paths)


def content(top: Path) -> list[str]:
    return sorted(str(path.relative_to(top)) for path in top.rglob("*") if path.suffix != ".lock")


def test_it_goes_as_a_whole_and_comes_back(venue: Venue) -> None:
    before = content(venue.path)
    goal = retire_venue.retire(venue)
    assert goal.name.startswith("house.retired-")
    assert not venue.path.exists()
    assert venue.path not in [*registry.venues()]
    with pytest.raises(NotAVenue, match=f"backstage unretire {goal}"):
        Venue.open(goal)
    assert retire_venue.unretire(goal) == (venue, ())
    assert content(venue.path) == before
    assert venue.path in [*registry.venues()]


def test_one_is_never_replaced(venue: Venue) -> None:
    goal = retire_venue.retire(venue)
    venue.path.mkdir()
    with pytest.raises(NotAVenue, match=f"{venue.path} exists, so {goal} cannot come back"):
        retire_venue.unretire(goal)
    configure(venue.paths)
    assert retire_venue.retire(venue) == goal.with_name(f"{goal.name}-2")
    retire_venue.unretire(goal)
    assert venue.paths.settings.exists()


def test_it_comes_back_only_beside_its_place(venue: Venue, tmp_path: Path) -> None:
    """Its owner can write the record, and root moves it by the name of its directory."""
    goal = retire_venue.retire(venue)
    other = tmp_path / "other"
    other.mkdir()
    goal.rename(other / goal.name)
    with pytest.raises(NotAVenue, match=f"type: mv {other / goal.name} {goal}"):
        retire_venue.unretire(other / goal.name)
    (other / goal.name).rename(goal)
    retire_venue.unretire(goal)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"path": 5, "sites": 7}', "null"])
def test_what_is_no_record(venue: Venue, text: str) -> None:
    (venue.paths.own / "retired.json").write_text(text)
    with pytest.raises(NotAVenue, match="is not a Venue that was retired"):
        retire_venue.unretire(venue.path)
    assert Venue.open(venue.path) == venue


def killed(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def killed_after(done: Callable[..., Any]) -> Callable[..., None]:
    def then_killed(*words: Any, **named: Any) -> None:
        done(*words, **named)
        killed()

    return then_killed


def in_child(task: Callable[[], object]) -> None:
    child = os.fork()
    if child == 0:
        try:
            task()
        finally:
            os._exit(1)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL


@forks
def test_one_that_was_killed_is_completed_or_undone(
    venue: Venue, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = content(venue.path)
    for again in (retire_venue.retire, lambda _: retire_venue.unretire(venue.path)):
        with monkeypatch.context() as patch:
            patch.setattr(retire_venue, "_end", killed_after(retire_venue._end))
            in_child(lambda: retire_venue.retire(venue))
        assert venue.path.exists()
        assert "is half retired" in [each.what for each in directories.leftovers(venue.paths)]
        again(venue)
        if not venue.path.exists():
            retire_venue.unretire(next(venue.path.parent.glob("house.retired-*")))
        assert content(venue.path) == before


@forks
def test_a_return_that_was_killed_is_completed(
    venue: Venue, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = content(venue.path)
    goal = retire_venue.retire(venue)
    with monkeypatch.context() as patch:
        patch.setattr(retire_venue, "_run_again", killed)
        in_child(lambda: retire_venue.unretire(goal))
    assert venue_retirement.read(venue.paths)
    retire_venue.unretire(venue.path)
    assert content(venue.path) == before


def test_a_failure_leaves_everything_in_its_place(
    venue: Venue, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise NotAVenue(venue.path, "is refused")

    before = content(venue.path)
    with monkeypatch.context() as patch:
        patch.setattr(retire_venue, "_end", refuse)
        with pytest.raises(NotAVenue, match="is refused"):
            retire_venue.retire(venue)
    assert content(venue.path) == before
    goal = retire_venue.retire(venue)
    with monkeypatch.context() as patch:
        patch.setattr(retire_venue, "_run_again", refuse)
        with pytest.raises(NotAVenue, match="is refused"):
            retire_venue.unretire(goal)
    assert not venue.path.exists()
    retire_venue.unretire(goal)
    assert content(venue.path) == before


@pytest.mark.parametrize("typed", ["house", "./house"])
def test_its_former_path_leads_to_where_it_is(
    venue: Venue, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], typed: str
) -> None:
    """Nobody is told to make a new one in its place."""
    goal = retire_venue.retire(venue)
    monkeypatch.chdir(goal.parent)
    monkeypatch.delenv("BACKSTAGE_VENUE", raising=False)
    assert run(["unretire", typed]) == Exit.NOT_THERE
    told = capsys.readouterr().err
    assert told == (
        "backstage: house is where a Venue was that is retired; "
        f"did you mean: backstage unretire {goal.name}\n"
    )
    venue.path.mkdir()
    assert run(["unretire", goal.name]) == Exit.NOT_THERE
    assert "see: backstage venues" not in capsys.readouterr().err
