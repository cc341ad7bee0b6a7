"""Retiring an Act and bringing it back, in a Venue that does not run: all or nothing."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from backstage.act import Act
from backstage.doctor import directories
from backstage.errors import ActFailed, CannotWrite, NoSuchAct
from backstage.facts.states import State
from backstage.layout import retirement
from backstage.layout.paths import VenuePaths
from backstage.operations.new_venue import configure
from backstage.operations.unretire import unretire
from backstage.uwsgi import ports, retiring
from backstage.venue import Venue

from ..conftest import Listen

# What a process that is killed runs: a warning of Python's, as pytest has threads.
forks = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")


@pytest.fixture
def venue(tmp_path: Path) -> Venue:
    paths = VenuePaths(tmp_path)
    configure(paths)
    return Venue(paths)


@pytest.fixture
def blog(venue: Venue) -> Act:
    """An Act that is to run as soon as there is an Emperor."""
    act = venue.act("blog")
    make(act)
    return act


def make(act: Act) -> None:
    act.paths.top.mkdir()
    (act.paths.top / "db.sqlite3").write_text("its data")
    ports.claim(act.paths, None)
    act.paths.vassal.write_text(act.paths.kept.read_text())
    act.paths.log.write_text("its log\n")


def facts(act: Act) -> tuple[object, ...]:
    """All that must be as it was."""
    return (
        (act.paths.top / "db.sqlite3").read_text(),
        act.vassal_text,
        act.get_uwsgi_port(),
        act.paths.log.read_text(),
    )


def test_it_comes_back_as_it_was(venue: Venue, blog: Act) -> None:
    before = facts(blog)
    blog.retire()
    assert "blog" not in venue
    assert not blog.paths.log.exists()
    assert unretire(venue, "blog", start=False) == blog
    assert facts(blog) == before
    assert blog.state is State.STOPPED
    assert not [*venue.paths.retired.iterdir()]


def test_of_several_the_last_one_is_meant(venue: Venue, blog: Act) -> None:
    first = blog.retire()
    make(blog)
    (blog.paths.top / "db.sqlite3").write_text("newer")
    blog.retire()
    unretire(venue, "blog", start=False)
    assert facts(blog)[0] == "newer"
    with pytest.raises(ActFailed, match=rf"backstage unretire {first.name} --as blog2$"):
        unretire(venue, first.name, start=False)
    again = unretire(venue, first.name, start=False, new_name="blog2")
    assert (again.name, facts(again)[0], facts(blog)[0]) == ("blog2", "its data", "newer")


def test_what_is_not_there_is_told_with_what_is(venue: Venue, blog: Act) -> None:
    goal = blog.retire()
    with pytest.raises(NoSuchAct, match=rf"'shop' in .*retired; its Acts: {goal.name}$"):
        unretire(venue, "shop", start=False)
    unretire(venue, "blog", start=False)
    with pytest.raises(NoSuchAct, match=r"'shop' in .*retired$"):
        unretire(venue, "shop", start=False)


def test_a_port_that_is_taken_by_now_is_exchanged(venue: Venue, blog: Act, listen: Listen) -> None:
    port = blog.get_uwsgi_port()
    blog.retire()
    listen(port=port)
    unretire(venue, "blog", start=False)
    assert blog.get_uwsgi_port() != port
    assert blog.vassal_text.count(str(blog.get_uwsgi_port())) == 1


def test_one_that_an_earlier_version_retired(venue: Venue, blog: Act) -> None:
    """There is no record: the names of the files tell what it was."""
    goal = blog.retire()
    (goal / "retired.json").unlink()
    unretire(venue, "blog", start=False)
    assert facts(blog)[0] == "its data"


def test_an_act_that_was_named_after_its_logs(venue: Venue) -> None:
    for name in ("log", "logs"):
        make(venue.act(name))
        venue.act(name).retire()
        unretire(venue, name, start=False)
        assert facts(venue.act(name))[0] == "its data"


@pytest.mark.parametrize("place", ["top", "log"])
def test_what_is_in_its_place_is_not_replaced(venue: Venue, blog: Act, place: str) -> None:
    blog.retire()
    path: Path = getattr(blog.paths, place)
    path.mkdir()
    with pytest.raises(ActFailed, match=f"as {path} exists"):
        unretire(venue, "blog", start=False)
    path.rmdir()
    unretire(venue, "blog", start=False)
    assert facts(blog)[0] == "its data"


def failing_at(number: int, act: Callable[[], object]) -> Callable[..., None]:
    """A replacement for the moving of a file that acts before the one of this number."""
    moved = retiring._move
    count = iter(range(100))

    def move(source: Path, goal: Path) -> None:
        if next(count) == number:
            act()
        moved(source, goal)

    return move


def full() -> None:
    raise OSError(28, "No space left on device")


def killed() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize("number", range(2))
def test_a_failure_leaves_it_retired(
    venue: Venue, blog: Act, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = facts(blog)
    goal = blog.retire()
    with monkeypatch.context() as patch:
        patch.setattr(retiring, "_move", failing_at(number, full))
        with pytest.raises(CannotWrite):
            unretire(venue, "blog", start=False)
    assert "blog" not in venue
    assert sorted(path.name for path in goal.iterdir()) == [
        *("blog", "blog.ini", "blog.logs", "retired.json")
    ]
    unretire(venue, "blog", start=False)
    assert facts(blog) == before


def in_child(task: Callable[[], object]) -> None:
    """Run it in a process that ends by `kill -9`."""
    child = os.fork()
    if child == 0:
        try:
            task()
        finally:
            os._exit(1)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL


@forks
@pytest.mark.parametrize("number", range(2))
def test_a_return_that_was_killed_is_completed(
    venue: Venue, blog: Act, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = facts(blog)
    blog.retire()
    with monkeypatch.context() as patch:
        patch.setattr(retiring, "_move", failing_at(number, killed))
        in_child(lambda: unretire(venue, "blog", start=False))
    assert "is half brought back" in [each.what for each in directories.leftovers(venue.paths)]
    unretire(venue, "blog", start=False)
    assert facts(blog) == before
    assert not [*venue.paths.retired.iterdir()]


@forks
@pytest.mark.parametrize("number", range(3))
def test_a_retirement_that_was_killed_is_completed(
    venue: Venue, blog: Act, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is an Act until everything else has been moved; the record is that of the first call."""
    before = facts(blog)
    with monkeypatch.context() as patch:
        patch.setattr(retiring, "_move", failing_at(number, killed))
        in_child(blog.retire)
    assert "blog" in venue
    told = [(each.what, each.command) for each in directories.leftovers(venue.paths)]
    assert ("is half retired", "backstage retire blog --yes") in told
    goal = blog.retire()
    assert [path.name for path in venue.paths.retired.iterdir()] == [goal.name]
    (known,) = retirement.retirements(venue.paths)
    assert known.wanted
    unretire(venue, "blog", start=False)
    assert facts(blog) == before


def test_a_retirement_that_fails_at_once_leaves_no_record(
    venue: Venue, blog: Act, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(retiring, "_move", failing_at(0, full))
        with pytest.raises(CannotWrite):
            blog.retire()
    assert not [*venue.paths.retired.iterdir()]
    assert facts(blog)[0] == "its data"
