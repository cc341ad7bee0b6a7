"""How the Django project of an Act is found: by what its vassal file says."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from backstage.layout.paths import ActPaths, VenuePaths
from backstage.projects.project import Project, package_of, project_of
from tests import acts_on_disk


@pytest.fixture
def act(tmp_path: Path) -> ActPaths:
    return acts_on_disk.with_project(tmp_path)


def found(act: ActPaths, *lines: str) -> Project:
    act.vassal.write_text("\n".join(["[uwsgi]", *lines]) + "\n")
    project = project_of(act)
    assert project
    return project


def test_a_dotenv_that_would_keep_its_reader_waiting_counts_for_nothing(act: ActPaths) -> None:
    """Its Act's user may have made it, and root examines it."""
    act.env_file.unlink(missing_ok=True)
    os.mkfifo(act.env_file)
    project = found(act)
    assert project.dotenv == ""
    act.env_file.unlink()
    act.env_file.symlink_to("/dev/zero")
    assert project.dotenv == ""


def test_a_project_is_run_as_its_vassal_file_says(act: ActPaths, tmp_path: Path) -> None:
    there = tmp_path / "elsewhere"
    (there / "site").mkdir(parents=True)
    (there / "manage.py").touch()
    project = found(
        act,
        "set-placeholder = base=" + str(there),
        "chdir = %(base)",
        "virtualenv = /opt/env",
        "pythonpath = lib",
        "env = DEBUG=on",
        "env = WHERE=%(base)/x",
        "env = UNKNOWN=$(HOME)",
    )
    assert project.directory == there
    assert project.python == Path("/opt/env/bin/python")
    assert dict(project.environment) == {
        "DEBUG": "on",
        "WHERE": f"{there}/x",
        "PYTHONPATH": f"{there}/lib",
        "DJANGO_SETTINGS_MODULE": "blog.settings",
    }


def test_the_kept_file_stands_for_a_stopped_act(act: ActPaths) -> None:
    act.kept.write_text("[uwsgi]\nenv = DEBUG=on\n")
    project = project_of(act)
    assert project
    assert project.environment["DEBUG"] == "on"


@pytest.mark.parametrize(
    ("files", "lines", "module"),
    [
        ({}, [], "blog.settings"),
        ({"manage.py": "setdefault('DJANGO_SETTINGS_MODULE', 'blog.local')"}, [], "blog.local"),
        (
            {
                "manage.py": "setdefault('DJANGO_SETTINGS_MODULE', 'blog.local')",
                "blog/wsgi.py": 'os.environ["DJANGO_SETTINGS_MODULE"] = "blog.production"',
            },
            ["module = blog.wsgi:application"],
            "blog.production",
        ),
        ({}, ["env = DJANGO_SETTINGS_MODULE=blog.other"], "blog.other"),
    ],
)
def test_the_settings_are_those_that_visitors_get(
    act: ActPaths, files: dict[str, str], lines: list[str], module: str
) -> None:
    """The entry of the web server counts before manage.py, which may have others on purpose."""
    for name, text in files.items():
        (act.top / name).write_text(text)
    assert found(act, *lines).environment["DJANGO_SETTINGS_MODULE"] == module


@pytest.mark.parametrize(
    ("files", "package"),
    [
        (["blog/wsgi.py", "other/wsgi.py"], "blog"),
        (["shop/wsgi.py"], "shop"),
        (["shop/wsgi.py", "other/wsgi.py"], ""),
        (["shop/wsgi.py", "named/wsgi.py", "manage.py"], "named"),
        (["manage.py"], ""),
        ([], ""),
    ],
)
def test_the_package_of_a_project_that_was_put_there(
    tmp_path: Path, files: list[str], package: str
) -> None:
    """A copy, or a project from elsewhere, seldom has the name of the Act."""
    act = VenuePaths(tmp_path).act("blog")
    for name in files:
        (act.top / name).parent.mkdir(parents=True, exist_ok=True)
        (act.top / name).write_text('setdefault("DJANGO_SETTINGS_MODULE", "named.settings")')
    assert package_of(act) == package
