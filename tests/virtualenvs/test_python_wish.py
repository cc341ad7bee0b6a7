"""The Python that a project wishes for."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from backstage.errors import EnvironmentFailed
from backstage.virtualenvs import python_wish
from backstage.virtualenvs.interpreters import Interpreter, current
from backstage.virtualenvs.python_wish import PythonWish

THIRTEEN = Interpreter(Path("/usr/bin/python3.13"), (3, 13, 1), "")
PROJECT = '[project]\nname = "x"\nrequires-python = ">=3.11,<3.14"\n'
POETRY = '[tool.poetry.dependencies]\npython = "^3.12"\n'
PIPFILE = '{"_meta": {"requires": {"python_version": "3.12"}}}'


@pytest.mark.parametrize(
    ("files", "text", "allowed", "refused"),
    [
        ({".python-version": "3.12.1\n3.11\n"}, "3.12.1", "3.12.9", "3.13.0"),
        (
            {".python-version": "# ours\n3.12\n", "pyproject.toml": PROJECT},
            "3.12",
            "3.12.0",
            "3.11",
        ),
        (
            {".python-version": "myenv\n", "pyproject.toml": PROJECT},
            ">=3.11,<3.14",
            "3.13.1",
            "3.14.0",
        ),
        ({"runtime.txt": "python-3.12.4\n"}, "python-3.12.4", "3.12.7", "3.13.0"),
        ({"pyproject.toml": POETRY}, "^3.12", "3.13.0", "3.11.9"),
        ({"Pipfile.lock": PIPFILE}, "3.12", "3.12.3", "3.11.2"),
        ({"pylock.toml": 'requires-python = ">=3.12"'}, ">=3.12", "3.12.0", "3.11.0"),
    ],
)
def test_a_wish_is_read_from_the_files_of_the_project(
    tmp_path: Path, files: dict[str, str], text: str, allowed: str, refused: str
) -> None:
    """The patch release of a version file does not matter: a server has the latest."""
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    wish = python_wish.find(tmp_path)
    assert wish is not None
    assert wish.text == text
    assert wish.allows(allowed)
    assert not wish.allows(refused)


@pytest.mark.parametrize("name", [".python-version", "runtime.txt", "Pipfile.lock"])
@pytest.mark.parametrize("content", ["", "pypy3.10", "[]", '{"_meta": 1}', "\x00", "3.x"])
def test_what_is_no_wish_is_none(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content)
    assert python_wish.find(tmp_path) is None


def test_the_python_of_the_venue_is_preferred() -> None:
    wish = PythonWish(">=3.11", Path("pyproject.toml"), (">=3.11",))
    assert python_wish.choose(wish, THIRTEEN) is THIRTEEN
    assert python_wish.choose(None, THIRTEEN) is THIRTEEN


def test_another_one_is_looked_for_on_this_machine() -> None:
    ours = ".".join(map(str, current().version[:2]))
    wish = PythonWish(ours, Path(".python-version"), (f"=={ours}.*",))
    other = Interpreter(Path("/usr/bin/python3"), (3, 99, 0), "")
    assert python_wish.choose(wish, other).version[:2] == current().version[:2]


def test_one_that_is_not_here_is_told_with_the_line_that_installs_it() -> None:
    wish = PythonWish("3.16", Path("shop/.python-version"), ("==3.16.*",))
    with pytest.raises(EnvironmentFailed) as caught:
        python_wish.choose(wish, THIRTEEN)
    told, _, command = str(caught.value).partition("type: ")
    assert told.startswith("shop/.python-version asks for Python 3.16, and this machine has none")
    assert command.endswith("-m uv python install 3.16")
    assert shutil.which(command.split()[0])


def test_one_that_is_too_old_is_told_so() -> None:
    wish = PythonWish("^3.8,<3.10", Path("pyproject.toml"), (">=3.8,<3.10",))
    with pytest.raises(EnvironmentFailed, match=r"but Acts run on Python 3\.11 or newer"):
        python_wish.choose(wish, THIRTEEN)
