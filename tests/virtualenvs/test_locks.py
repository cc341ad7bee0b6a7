"""The locks that uv does not read: what they have for production and for one Python."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from backstage.errors import SettingsError
from backstage.virtualenvs import pdm_lock, pins, pipfile_lock, poetry_lock
from backstage.virtualenvs.interpreters import Interpreter
from backstage.virtualenvs.pins import Pins

LINUX = {"sys_platform": "linux", "platform_system": "Linux", "os_name": "posix"}
ELEVEN = pins.environment_of(Interpreter(Path("/usr/bin/python3.11"), (3, 11, 7), "")) | LINUX
THIRTEEN = pins.environment_of(Interpreter(Path("/usr/bin/python3.13"), (3, 13, 1), "")) | LINUX

POETRY = """
[[package]]
name = "Django"
version = "5.2.19"
optional = false
groups = ["main", "dev"]
markers = {dev = "python_version < '3'"}
files = [{file = "django.whl", hash = "sha256:d1"}, {file = "django.tar.gz", hash = "sha256:d2"}]

[[package]]
name = "packaging"
version = "24.2"
groups = ["main"]
markers = "python_version < '3.12'"
files = [{file = "p.whl", hash = "sha256:p24"}]

[[package]]
name = "packaging"
version = "26.0"
groups = ["main"]
markers = "python_version >= '3.12'"
files = [{file = "p.whl", hash = "sha256:p26"}]

[[package]]
name = "gunicorn"
version = "23.0"
optional = true
groups = ["main"]
markers = "extra == 'production'"
files = [{file = "g.whl", hash = "sha256:f"}]

[[package]]
name = "colorama"
version = "0.4"
groups = ["main"]
markers = "sys_platform == 'win32'"
files = [{file = "c.whl", hash = "sha256:c"}]

[[package]]
name = "pytest"
version = "9.0"
groups = ["dev"]
files = [{file = "t.whl", hash = "sha256:b"}]

[[package]]
name = "uWSGI"
version = "2.0.21"
groups = ["main"]
files = [{file = "u.tar.gz", hash = "sha256:e"}]

[[package]]
name = "ours"
version = "1.0"
groups = ["main"]
[package.source]
type = "git"
url = "https://example.org/ours.git"
reference = "main"
resolved_reference = "abc"
subdirectory = "py"

[[package]]
name = "beside"
version = "1.0"
groups = ["main"]
develop = true
[package.source]
type = "directory"
url = "libs/beside"

[[package]]
name = "private"
version = "1.0"
groups = ["production"]
files = [{file = "x.whl", hash = "sha256:a"}]
[package.source]
type = "legacy"
url = "https://example.org/simple"
reference = "private"

[metadata]
lock-version = "2.1"
"""


def written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_poetry_two_tells_what_each_package_is_for(tmp_path: Path) -> None:
    file = written(tmp_path / "poetry.lock", POETRY)
    found = poetry_lock.read(file, ELEVEN, ["production"], ["production"])
    assert found == Pins(
        options=("--extra-index-url https://example.org/simple",),
        packages=(
            "Django==5.2.19 --hash=sha256:d1 --hash=sha256:d2",
            "packaging==24.2 --hash=sha256:p24",
            "gunicorn==23.0 --hash=sha256:f",
            "ours @ git+https://example.org/ours.git@abc#subdirectory=py",
            "private==1.0 --hash=sha256:a",
        ),
        local=("-e ./libs/beside",),
        names=frozenset({"django", "packaging", "gunicorn", "ours", "beside", "private"}),
    )
    assert not found.are_hashed
    newer = poetry_lock.read(file, THIRTEEN, [], [])
    assert "packaging==26.0 --hash=sha256:p26" in newer.packages
    assert not {"gunicorn", "private", "pytest"} & newer.names


OLD_POETRY = """
[[package]]
name = "django"
version = "5.2.19"
python-versions = ">=3.10"
files = [{file = "d.whl", hash = "sha256:d"}]
[package.dependencies]
asgiref = ">=3.8"
argon2-cffi = {version = ">=19", optional = true, markers = "extra == \\"argon2\\""}
tzdata = {version = "*", markers = "sys_platform == \\"win32\\""}
[package.extras]
argon2 = ["argon2-cffi (>=19)"]
bcrypt = ["bcrypt"]

[[package]]
name = "asgiref"
version = "3.8"
python-versions = "*"

[[package]]
name = "argon2-cffi"
version = "23.1"
python-versions = "*"

[[package]]
name = "bcrypt"
version = "4.0"
python-versions = "*"

[[package]]
name = "tzdata"
version = "2026.1"
python-versions = "*"

[[package]]
name = "numpy"
version = "1.26"
python-versions = "*"

[[package]]
name = "numpy"
version = "2.2"
python-versions = ">=3.12"

[[package]]
name = "pytest"
version = "9.0"
python-versions = "*"

[[package]]
name = "gunicorn"
version = "23.0"
python-versions = "*"
[metadata]
lock-version = "2.0"
[metadata.files]
asgiref = [{file = "a.whl", hash = "sha256:a"}]
"""
OLD_PROJECT = """
[tool.poetry.dependencies]
python = "^3.11"
Django = {version = "^5.2", extras = ["argon2"]}
gunicorn = {version = "*", optional = true}
numpy = [{version = "<2", python = "<3.12"}, {version = "^2.0", python = ">=3.12"}]
[tool.poetry.extras]
production = ["gunicorn"]
[tool.poetry.group.dev.dependencies]
pytest = "*"
"""


def test_before_that_what_is_needed_is_followed_from_the_project(tmp_path: Path) -> None:
    """Through extras and markers, to neither the development nor other platforms."""
    file = written(tmp_path / "poetry.lock", OLD_POETRY)
    written(tmp_path / "pyproject.toml", OLD_PROJECT)
    older = poetry_lock.read(file, ELEVEN, [], [])
    assert older.names == {"django", "asgiref", "argon2-cffi", "numpy"}
    assert {"numpy==1.26", "asgiref==3.8 --hash=sha256:a"} < set(older.packages)
    newer = poetry_lock.read(file, THIRTEEN, [], ["production"])
    assert newer.names == {*older.names, "gunicorn"}
    assert "numpy==2.2" in newer.packages


PDM = """
[metadata]
strategy = ["inherit_metadata"]

[[package]]
name = "django"
version = "5.2.19"
groups = ["default"]
files = [{file = "d.whl", hash = "sha256:d"}]

[[package]]
name = "django"
version = "5.2.19"
extras = ["argon2"]
groups = ["default"]
files = [{file = "d.whl", hash = "sha256:d"}]

[[package]]
name = "tzdata"
version = "1"
groups = ["default"]
marker = "sys_platform == 'win32'"
files = [{file = "t.whl", hash = "sha256:a"}]

[[package]]
name = "gunicorn"
version = "23.0"
groups = ["production", "dev"]
files = [{file = "g.whl", hash = "sha256:f"}]

[[package]]
name = "pytest"
version = "9.0"
groups = ["dev"]
files = [{file = "p.whl", hash = "sha256:b"}]

[[package]]
name = "ours"
version = "1"
git = "https://example.org/ours.git"
ref = "main"
revision = "abc"
groups = ["default"]

[[package]]
name = "beside"
version = "1"
path = "./beside"
editable = true
groups = ["default"]
"""
PDM_PROJECT = """
[[tool.pdm.source]]
name = "pypi"
url = "https://example.org/mirror"
[[tool.pdm.source]]
name = "private"
url = "https://example.org/simple"
"""


def test_a_lock_of_pdm(tmp_path: Path) -> None:
    """The main index is that of the machine."""
    written(tmp_path / "pyproject.toml", PDM_PROJECT)
    found = pdm_lock.read(written(tmp_path / "pdm.lock", PDM), ELEVEN, ["production"])
    assert found == Pins(
        options=("--extra-index-url https://example.org/simple",),
        packages=(
            "django==5.2.19 --hash=sha256:d",
            "gunicorn==23.0 --hash=sha256:f",
            "ours @ git+https://example.org/ours.git@abc",
        ),
        local=("-e ./beside",),
        names=frozenset({"django", "gunicorn", "ours", "beside"}),
    )


def pipenv(**default: dict[str, Any]) -> str:
    sources = [
        {"name": "pypi", "url": "https://example.org/mirror"},
        {"name": "private", "url": "https://example.org/simple"},
    ]
    return json.dumps({"_meta": {"sources": sources}, "default": default, "develop": {"pytest": 1}})


def test_a_lock_of_pipenv(tmp_path: Path) -> None:
    text = pipenv(
        django={"version": "==5.2.19", "hashes": ["sha256:d"], "markers": "python_version > '3'"},
        tzdata={"version": "==1", "hashes": ["sha256:a"], "markers": "sys_platform == 'win32'"},
        uwsgi={"version": "==2.0.21"},
        ours={"git": "https://example.org/ours.git", "ref": "abc", "subdirectory": "py"},
        beside={"path": "./beside", "editable": True},
        wheel={"file": "https://example.org/wheel-1.whl"},
    )
    found = pipfile_lock.read(written(tmp_path / "Pipfile.lock", text), ELEVEN)
    assert found == Pins(
        options=("--extra-index-url https://example.org/simple",),
        packages=(
            "django==5.2.19 --hash=sha256:d",
            "ours @ git+https://example.org/ours.git@abc#subdirectory=py",
            "wheel @ https://example.org/wheel-1.whl",
        ),
        local=("-e ./beside",),
        names=frozenset({"django", "ours", "beside", "wheel"}),
    )


def of_poetry(file: Path) -> Pins:
    return poetry_lock.read(file, ELEVEN, [], [])


def of_pdm(file: Path) -> Pins:
    return pdm_lock.read(file, ELEVEN, [])


def of_pipenv(file: Path) -> Pins:
    return pipfile_lock.read(file, ELEVEN)


TWICE = (
    '[[package]]\nname = "x"\nversion = "1"\ngroups = ["main"]\n'
    '[[package]]\nname = "X"\nversion = "2"\ngroups = ["main"]\n'
)


@pytest.mark.parametrize(
    ("read", "text", "told"),
    [
        (of_poetry, TWICE, "has x in two versions for this Python; .* type: poetry lock$"),
        (of_poetry, '[[package]]\nname = "x"\ngroups = ["main"]\n', "is no lock of Poetry"),
        (of_poetry, "[[package]\n", "is no TOML"),
        (of_poetry, TWICE.replace('["main"]', '["main"]\nmarkers = "a"', 1), "'a' is no marker"),
        (of_pdm, "[metadata]\n", "type: pdm lock --strategy inherit_metadata$"),
        (of_pdm, PDM.replace('name = "ours"', 'nom = "ours"'), "is no lock of PDM"),
        (of_pipenv, "[]", "is no lock of Pipenv"),
        (of_pipenv, '{"default": {"x": 1}}', "is no lock of Pipenv"),
        (of_pipenv, "{", "is no lock of Pipenv"),
    ],
)
def test_what_cannot_be_understood_is_refused_with_the_file(
    tmp_path: Path, read: Callable[[Path], Pins], text: str, told: str
) -> None:
    file = written(tmp_path / "the.lock", text)
    with pytest.raises(SettingsError, match=told) as caught:
        read(file)
    assert caught.value.path == file
