"""The distributions in an environment, their requirements and their files."""

from __future__ import annotations

import os
import sysconfig
from pathlib import Path

import pytest

from backstage.virtualenvs.distributions import Library
from tests.conftest import Environment

OURS = Path(sysconfig.get_path("purelib"))


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    return Environment(tmp_path / "environment")


def modules_of(environment: Environment, *names: str) -> list[str] | None:
    files = Library(environment.site).files_of(names)
    return files and sorted(name for name in files if name.endswith(".py"))


def test_files_follow_requirements_and_their_markers(environment: Environment) -> None:
    """Each is listed once, despite circular requirements and different spellings of names."""
    needs = {
        "app": ["Base_Lib>=1", "old; python_version < '3'", "more; extra == 'x'"],
        "base-lib": ["deep[fast]==1.0", "here; python_version >= '3'"],
        "deep": ["app"],
        "here": [],
        "unrelated": [],
    }
    for name, needed in needs.items():
        environment.install(name, {f"{name}.py": ""}, needed)
    for name in ("app", "App", "APP"):
        found = modules_of(environment, name, "here")
        assert found == ["app.py", "base-lib.py", "deep.py", "here.py"]


@pytest.mark.parametrize("names", [["none"], ["app"], ["fine", "none"], ["fine", "bare"]])
def test_files_with_a_gap_are_none(environment: Environment, names: list[str]) -> None:
    """If any distribution is missing or has no list of files, no copy could be complete."""
    environment.install("app", {}, ["fine", "missing"])
    environment.install("fine", {})
    environment.install("bare", {})
    (environment.site / "bare-1.0.dist-info" / "RECORD").unlink()
    assert Library(environment.site).files_of(names) is None
    assert Library(environment.site).files_of(["fine"]) is not None


def test_files_are_those_of_the_record(environment: Environment) -> None:
    """They include scripts outside site-packages and names with commas."""
    environment.install("tool", {"a, b.py": "", "../../../bin/tool": ""})
    assert Library(environment.site).files_of(["tool"]) == [
        *("tool-1.0.dist-info/METADATA", "tool-1.0.dist-info/RECORD"),
        *("a, b.py", "../../../bin/tool"),
    ]


def test_files_that_an_old_pip_listed_are_found(environment: Environment) -> None:
    """Old pip listed the files of a source installation relative to its egg-info directory."""
    info = environment.site / "tool-1.0-py3.11.egg-info"
    info.mkdir()
    (info / "PKG-INFO").write_text("Metadata-Version: 2.1\nName: tool\nVersion: 1.0\n")
    (info / "installed-files.txt").write_text("../tool.py\n../../../../bin/tool\nPKG-INFO\n")
    assert Library(environment.site).files_of(["tool"]) == [
        *("tool.py", "../../../bin/tool", "tool-1.0-py3.11.egg-info/PKG-INFO"),
    ]


def test_our_own_django_is_whole() -> None:
    files = Library(OURS).files_of(["Django"])
    assert files is not None
    assert {"django/__init__.py", "asgiref/__init__.py", "sqlparse/__init__.py"} <= set(files)
    missing = [name for name in files if not os.path.exists(OURS / name)]
    assert not [name for name in missing if not name.endswith(".pyc")]


def test_only_the_given_directory_is_searched(environment: Environment) -> None:
    assert Library(OURS).get("Django") is not None
    assert Library(environment.site).get("Django") is None
