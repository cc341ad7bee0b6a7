"""Which application a vassal file means, and where only uWSGI could tell."""

from __future__ import annotations

from pathlib import Path

import pytest

from backstage.layout.paths import VenuePaths
from backstage.layout.shipped_files import configuration
from backstage.uwsgi import includes
from backstage.uwsgi.application import Application, application

VENUE = VenuePaths(Path("/srv/shows"))
OUTER = {"HOME": "/srv", "STAGE": "live"}


def read(text: str, name: str = "blog") -> Application | None:
    script = includes.read_all(VENUE, VENUE.act(name).vassal, f"[uwsgi]\n{text}")
    return application(VENUE, script, OUTER)


def known(text: str) -> Application:
    found = read(text)
    assert found is not None
    return found


def test_a_module_with_its_callable() -> None:
    assert known("module = blog.wsgi:site\nchdir = /srv/blog\n") == Application(
        home=VENUE.top,
        directory=Path("/srv/blog"),
        module="blog.wsgi",
        file="",
        callable="site",
        paths=(),
        environment=OUTER,
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("module = a", ("a", "", "application")),
        ("wsgi = a.b\ncallable = app", ("a.b", "", "app")),
        ("callable = app\nmodule = a:made()", ("a", "", "made()")),
        ("wsgi-file = a/b.py", ("", "/srv/shows/vassals/a/b.py", "application")),
        (
            "chdir = ../acts/%n\nfile = %n.wsgi",
            ("", "/srv/shows/acts/blog/blog.wsgi", "application"),
        ),
        ("set-placeholder = act=%n\nmodule = %(act).wsgi", ("blog.wsgi", "", "application")),
        ("module = old\nmodule = new", ("new", "", "application")),
        ("module = $(STAGE).wsgi", ("live.wsgi", "", "application")),
    ],
)
def test_what_is_loaded(text: str, expected: tuple[str, str, str]) -> None:
    found = known(text)
    assert (found.module, found.file, found.callable) == expected


def test_the_search_path_and_the_virtual_environment() -> None:
    found = known("module = a\nchdir = /srv\npp = lib\npythonpath = /opt/x\nvenv = env\n")
    assert found.paths == ("lib", "/opt/x")
    assert found.home == Path("/srv/env")


def test_the_environment_is_the_outer_one_as_the_file_changes_it() -> None:
    found = known("module = a\nenv = A=1\nenv = B=$(HOME)/b=c\nunenv = STAGE\nenv = A=2\n")
    assert found.environment == {"HOME": "/srv", "A": "2", "B": "/srv/b=c"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "http-socket = :8001",
        "module = a\nwsgi-file = b.py",
        "module = @(/etc/name)",
        "module = %(unknown).wsgi",
        "module = not-a-name",
        "module = a:b.c",
        "if-env = STAGE\nmodule = a\nendif =",
        "module = a\nmount = /b=b.py",
        "module = a\nuid = www-data",
        "module = a\nini = /nowhere/at/all.ini",
        "module = a\nenv = SECRET=@(/etc/secret)",
        "attach-daemon = /bin/true",
        "psgi = app.psgi",
    ],
)
def test_what_only_uwsgi_can_tell_is_left_to_it(text: str) -> None:
    assert read(text) is None


def test_the_scaffold_of_a_venue(tmp_path: Path) -> None:
    """The shipped template is one of the files that are understood."""
    venue = VenuePaths(tmp_path)
    venue.templates.mkdir()
    template = configuration("vassal_templates", "django.ini", venue=str(tmp_path))
    (venue.templates / "django.ini").write_text(template)
    vassal = f"[uwsgi]\nset-placeholder = act=%n\nini = {venue.templates}/django.ini\n"
    found = application(venue, includes.read_all(venue, venue.act("blog").vassal, vassal), {})
    assert found is not None
    assert (found.directory, found.module) == (venue.act("blog").top, "blog.wsgi")
    assert (found.home, found.callable) == (tmp_path, "application")
