"""Asking a project in its own Python, whatever the project does meanwhile."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from backstage.layout.paths import VenuePaths
from backstage.projects import ask
from backstage.projects.ask import Silence, answer_of
from backstage.projects.project import Project

SETTINGS = """
SECRET_KEY = "x" * 60
ALLOWED_HOSTS = ["known.test"]
STATIC_URL, STATIC_ROOT = "/static/", "/srv/static"
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "/srv/db.sqlite3"}}
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / "mine.py").write_text(SETTINGS)
    environment = {"DJANGO_SETTINGS_MODULE": "mine"}
    act = VenuePaths(tmp_path).act("blog")
    return Project(act, tmp_path, Path(sys.executable), environment)


def add(project: Project, code: str) -> None:
    with (project.directory / "mine.py").open("a") as settings:
        settings.write(code)


def silence(project: Project) -> Silence:
    told = answer_of(project, "shares", "known.test")
    assert isinstance(told, Silence)
    return told


def test_it_answers_for_its_settings_and_leaves_nothing_behind(project: Project) -> None:
    told = answer_of(project, "shares", "known.test", "other.test")
    assert told == {
        "static": ["/static/", "/srv/static"],
        "media": ["/", ""],
        "private": [str(project.directory / "mine.py"), "/srv/db.sqlite3"],
        "env_file": "",
        "strangers": ["other.test"],
    }
    assert [path.name for path in project.directory.iterdir()] == ["mine.py"]


@pytest.mark.parametrize(("missing", "told"), [("", "/srv/.env"), ("PROXY", ""), ("ENV_FILE", "")])
def test_a_file_counts_as_the_env_of_a_project_like_our_scaffold_only(
    project: Project, missing: str, told: str
) -> None:
    """Each of the settings that binding changes has to be there."""
    lines = ["TLS = False", "PROXY = False", "ENV_FILE = '/srv/.env'"]
    add(project, "\n".join(line for line in lines if not line.startswith(missing or "-")) + "\n")
    answer = answer_of(project, "shares")
    assert not isinstance(answer, Silence)
    assert answer["env_file"] == told


def test_what_a_project_prints_is_not_taken_for_its_answer(project: Project) -> None:
    add(project, "\nimport atexit, sys\nprint('{}', end='')\natexit.register(print, '[]')\n")
    told = answer_of(project, "shares")
    assert not isinstance(told, Silence)
    assert told["strangers"] == []


@pytest.mark.parametrize("name", ["shares", "examine", "ask"])
def test_the_modules_of_a_project_are_its_own_whatever_they_are_called(
    project: Project, name: str
) -> None:
    (project.directory / f"{name}.py").write_text("HOSTS = ['mine.test']\n")
    add(project, f"\nfrom {name} import HOSTS as ALLOWED_HOSTS\n")
    told = answer_of(project, "shares", "mine.test")
    assert not isinstance(told, Silence)
    assert told["strangers"] == []


def test_it_tells_where_its_settings_fail(project: Project) -> None:
    add(project, "\nimport nothing_of_the_kind\n")
    line = SETTINGS.count("\n") + 2
    assert silence(project).why == (
        "ModuleNotFoundError: No module named 'nothing_of_the_kind' "
        f"({project.directory}/mine.py, line {line})"
    )


def test_a_python_that_ends_without_a_word_is_known_by_its_exit_code(project: Project) -> None:
    add(project, "\nimport os\nos._exit(3)\n")
    told = silence(project)
    assert (told.status, told.why) == (3, "its Python ended with exit code 3")


@pytest.mark.slow
def test_a_project_that_hangs_is_ended(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ask, "_PATIENCE", 2.0)
    add(project, "\nimport time\ntime.sleep(600)\n")
    told = silence(project)
    assert (told.status, told.why) == (None, "it did not load within 2 s")


def test_one_part_that_fails_leaves_the_others(project: Project) -> None:
    add(
        project,
        "\nclass Odd:\n    def __bool__(self): raise ValueError('neither')\nDEBUG = Odd()\n",
    )
    told = answer_of(project, "examine")
    assert not isinstance(told, Silence)
    assert told["errors"]["debug"] == "ValueError: neither"
    assert "debug" not in told
    assert told["hosts"] == ["known.test"]
    assert json.dumps(told).count("x" * 60) == 0
