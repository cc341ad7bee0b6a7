"""Renaming an Act in a Venue that does not run: everything goes along, all or nothing."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from backstage.act import Act
from backstage.doctor import directories
from backstage.errors import ActFailed, CannotWrite, NameNotAllowed, NoSuchAct, SettingsError
from backstage.facts.states import State
from backstage.layout.paths import VenuePaths
from backstage.operations import relocation_journal, rename
from backstage.operations.new_venue import configure
from backstage.projects.project import run_by
from backstage.uwsgi import includes, ports, retiring
from backstage.venue import Venue

SETTINGS = """\
ports: 8001-8999  # all of them
acts:
  "blog":  # the first
    give_up_after: 3
  shop2:
    give_up_after: 4
"""
# What a process that is killed runs: a warning of Python's, as pytest has threads.
forks = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")


@pytest.fixture
def venue(tmp_path: Path) -> Venue:
    paths = VenuePaths(tmp_path)
    configure(paths)
    paths.settings.write_text(SETTINGS)
    return Venue(paths)


@pytest.fixture
def blog(venue: Venue) -> Act:
    """An Act that is to run as soon as there is an Emperor."""
    act = venue.act("blog")
    top = act.paths.top
    (top / "blog").mkdir(parents=True)
    (top / "db.sqlite3").write_text("its data")
    (top / ".env").write_text(f"DATABASE=sqlite:///{top}/db.sqlite3\n")
    (top / "blog" / "wsgi.py").write_text("os.environ['DJANGO_SETTINGS_MODULE'] = 'blog.live'")
    (top / "current").symlink_to(top / "blog")
    ports.claim(act.paths, None)
    extra = f"static-map = /media={top}/media\nenv = NAME=%(act)-x\n"
    act.paths.kept.write_text(act.paths.kept.read_text() + extra)
    act.paths.vassal.write_text(act.paths.kept.read_text())
    venue.act("shop2").paths.kept.write_text(f"[uwsgi]\nenv = BLOG={top}\n")
    for log in ("blog.log", "blog.log.1"):
        (venue.paths.log / log).write_text(f"its {log}\n")
    venue.paths.past.mkdir(parents=True)
    act.paths.past.write_text("its past")
    return act


def files(venue: Venue) -> dict[str, str]:
    """Every file and link of the Venue but for locks, with its content."""
    top = venue.path
    found = {}
    for path in sorted(top.rglob("*")):
        if path.is_symlink():
            found[str(path.relative_to(top))] = f"-> {path.readlink()}"
        elif path.is_file() and path.suffix != ".lock":
            found[str(path.relative_to(top))] = path.read_bytes().decode(errors="replace")
    return found


def values(act: Act) -> dict[str, str]:
    """What uWSGI reads of the project, the last value of each option."""
    script = includes.read_all(act.paths.venue, act.paths.vassal, act.vassal_text)
    return dict(script.values("module", "chdir", "static-map", "env", "http-socket"))


def test_everything_of_it_goes_along(venue: Venue, blog: Act) -> None:
    port, wanted = blog.get_uwsgi_port(), blog.wanted
    act, left = rename.rename(venue, "blog", "shop")
    top = venue.paths.acts / "shop"
    assert (act.name, left) == ("shop", ())
    assert (act.get_uwsgi_port(), act.wanted, act.state) == (port, wanted, State.WAITING)
    assert (top / "db.sqlite3").read_text() == "its data"
    assert dict(act.env) == {"DATABASE": f"sqlite:///{top}/db.sqlite3"}
    assert (top / "current").readlink() == top / "blog"
    assert act.paths.log.read_text() == "its blog.log\n"
    assert (venue.paths.log / "shop.log.1").read_text() == "its blog.log.1\n"
    assert act.paths.past.read_text() == "its past"
    assert venue.paths.settings.read_text() == SETTINGS.replace('"blog"', "shop")
    assert not [each for each in files(venue) if "blog" in Path(each).name]
    assert not any(str(blog.paths.top) in text for text in files(venue).values())


def test_its_package_and_what_follows_from_its_name_stay(venue: Venue, blog: Act) -> None:
    """What the template derives from the Act's name, its project is not prepared for."""
    act, _ = rename.rename(venue, "blog", "shop")
    told = values(act)
    assert told["module"] == "blog.wsgi:application"
    assert told["env"] == "NAME=blog-x"
    assert told["chdir"] == str(act.paths.top)
    assert told["static-map"] == f"/media={act.paths.top}/media"
    assert run_by(act.paths).environment["DJANGO_SETTINGS_MODULE"] == "blog.live"


def test_a_second_time_adds_nothing(venue: Venue, blog: Act) -> None:
    once = rename.rename(venue, "blog", "shop")[0].vassal_text
    act, _ = rename.rename(venue, "shop", "store")
    assert act.vassal_text == once.replace("acts/shop", "acts/store")
    assert values(act)["module"] == "blog.wsgi:application"


def test_places_in_the_project_are_told(venue: Venue, blog: Act) -> None:
    """They are its owner's."""
    (blog.paths.top / "blog" / "settings.py").write_text(f"\nROOT = '{blog.paths.top}'\n")
    assert rename.rename(venue, "blog", "shop")[1] == ("acts/shop/blog/settings.py, line 2",)


def test_one_that_is_stopped_stays_so(venue: Venue, blog: Act) -> None:
    blog.stop()
    assert rename.rename(venue, "blog", "shop")[0].state is State.STOPPED


@pytest.mark.parametrize(
    ("before", "after", "error", "what"),
    [
        ("blog", "shop2", NameNotAllowed, "there is an Act of that name"),
        ("blog", "blog", NameNotAllowed, "there is an Act of that name"),
        ("blog", "my-shop", NameNotAllowed, "my_shop"),
        ("bolg", "shop", NoSuchAct, "did you mean 'blog'"),
        ("blog", "x" * 64, NameNotAllowed, "the path of its socket"),
    ],
)
def test_what_cannot_be_is_refused(
    venue: Venue, blog: Act, before: str, after: str, error: type[Exception], what: str
) -> None:
    at_first = files(venue)
    with pytest.raises(error, match=what):
        rename.rename(venue, before, after)
    assert files(venue) == at_first


def test_settings_of_another_act_are_not_inherited(venue: Venue, blog: Act) -> None:
    venue.act("shop2").retire()
    with pytest.raises(SettingsError, match="line 5: has settings for shop2; remove them"):
        rename.rename(venue, "blog", "shop2")
    assert blog.wanted


def failing_at(number: int, ends: Callable[[], None]) -> Callable[[Callable[..., None]], object]:
    """What makes a function end like this, the call of this number and no other."""
    count = iter(range(1000))

    def wrapped(function: Callable[..., None]) -> Callable[..., None]:
        def call(*arguments: object, **options: object) -> None:
            if next(count) == number:
                ends()
            function(*arguments, **options)

        return call

    return wrapped


def full() -> None:
    raise OSError(28, "No space left on device")


def killed() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


STEPS = [*range(0, 18, 3)]


def break_at(number: int, ends: Callable[[], None], patch: pytest.MonkeyPatch) -> None:
    wrap = failing_at(number, ends)
    for module, name in ((retiring, "_move"), (relocation_journal, "_write")):
        patch.setattr(module, name, wrap(getattr(module, name)))
    for name in ("_replace_link",):
        patch.setattr(relocation_journal, name, wrap(getattr(relocation_journal, name)))


@pytest.mark.parametrize("number", STEPS)
def test_a_failure_leaves_everything_as_it_was(
    venue: Venue, blog: Act, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_first = files(venue)
    with monkeypatch.context() as patch:
        break_at(number, full, patch)
        with pytest.raises(CannotWrite):
            rename.rename(venue, "blog", "shop")
    assert files(venue) == at_first
    assert rename.rename(venue, "blog", "shop")[0].wanted


@forks
@pytest.mark.parametrize("number", STEPS)
def test_a_call_that_was_killed_is_completed(
    venue: Venue, blog: Act, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    child = os.fork()
    if child == 0:
        try:
            break_at(number, killed, monkeypatch)
            rename.rename(venue, "blog", "shop")
        finally:
            os._exit(1)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL
    assert "is half renamed to shop" in [each.what for each in directories.leftovers(venue.paths)]
    with pytest.raises(ActFailed, match=r"to finish that, type: backstage rename blog shop$"):
        rename.rename(venue, "shop2", "shop3")
    act, _ = rename.rename(venue, "blog", "shop")
    assert act.wanted
    assert values(act)["module"] == "blog.wsgi:application"
    assert (act.paths.top / "db.sqlite3").read_text() == "its data"
    assert not any(str(blog.paths.top) in text for text in files(venue).values())
    assert not [*venue.paths.retired.iterdir()]
