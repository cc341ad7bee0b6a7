"""The environment of a release, built by the real uv from small packages of the index."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from uv import find_uv_bin

from backstage.errors import BackstageError, CannotWrite, EnvironmentFailed, SettingsError
from backstage.system.deadlines import Deadline, until
from backstage.virtualenvs import declared, release_environment
from backstage.virtualenvs.interpreters import Interpreter, current
from backstage.virtualenvs.release_environment import Built
from tests.conftest import Spawn
from tests.patience import PATIENCE

pytestmark = pytest.mark.integration

SIX = "six==1.17.0"
HASH = "sha256:4721f391ed90541fddacab5acf947aa0d3dc7d27b2e1e8eda2be8970586c3274"
WRONG = "sha256:" + "0" * 64
PROJECT = '[project]\nname = "shop"\nversion = "1"\nrequires-python = ">=3.11"\n'
PACKED = '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
SCRIPT = '[project.scripts]\nshop-manage = "shop:main"\n[tool.setuptools]\npackages = ["shop"]\n'
SETUP = "from setuptools import setup\nsetup(name={name!r}, version='1', py_modules=[])\n"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A project that brings its own Django, so that none has to be installed."""
    top = tmp_path / "a tree"
    (top / "django").mkdir(parents=True)
    (top / "django" / "__init__.py").touch()
    (top / "manage.py").touch()
    return top


def write(tree: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(text)


def build(tree: Path, release: str = "1", *, former: Built | None = None) -> Built:
    found = declared.find(tree)
    assert found is not None
    top = tree.parent / "releases" / release / "env"
    top.parent.mkdir(parents=True, exist_ok=True)
    before = former.top if former else None
    return release_environment.build(top, tree, found, current(), former=before)


def installed(built: Built) -> set[str]:
    folder = built.interpreter.site_packages(built.top)
    return {path.name.partition("-")[0] for path in folder.glob("*.dist-info")}


def said(built: Built, program: str, *words: str) -> str:
    command = [str(built.top / "bin" / program), *words]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout


def uv(tree: Path, *words: str) -> None:
    subprocess.run([find_uv_bin(), *words, "--quiet"], cwd=tree, check=True, timeout=120)


def left(tree: Path) -> set[str]:
    return {path.name for path in (tree.parent / "releases").glob("*/*")}


@pytest.mark.slow
def test_releases_of_a_project_with_a_lock_of_uv(tmp_path: Path) -> None:
    """The next one shares its files, unless somebody has changed them; all can be moved."""
    tree = tmp_path / "tree"
    wanted = 'dependencies = ["Django==5.2.*", "uWSGI"]\n[dependency-groups]\ndev = ["six"]\n'
    write(tree, {"pyproject.toml": PROJECT + wanted, "manage.py": ""})
    uv(tree, "lock")
    first = build(tree)
    assert installed(first) >= {"django", "asgiref", "sqlparse"}
    assert "six" not in installed(first)
    assert said(first, "django-admin", "--version").strip() == first.django
    assert said(first, "uwsgi", "--version")[0] == "2"
    assert build(tree) == first

    second = build(tree, "2", former=first)
    module = second.interpreter.site_packages(second.top) / "django" / "apps" / "config.py"
    other = first.interpreter.site_packages(first.top) / "django" / "apps" / "config.py"
    assert module.samefile(other)
    assert (module.parent / "__pycache__").is_dir()
    assert not (second.top / "bin" / "uwsgi").samefile(first.top / "bin" / "uwsgi")

    (tmp_path / "releases").rename(tmp_path / "moved")
    moved = tmp_path / "moved" / "2" / "env"
    script = [moved / "bin" / "django-admin", "--version"]
    run = subprocess.run(script, capture_output=True, text=True, check=True, timeout=60)
    assert run.stdout.strip() == second.django
    (tmp_path / "moved").rename(tmp_path / "releases")

    other.write_text(other.read_text() + "# by hand\n")
    third = build(tree, "3", former=first)
    again = third.interpreter.site_packages(third.top) / "django" / "apps" / "config.py"
    assert "by hand" not in again.read_text()


LOCKED = {
    "pylock.toml": {"pyproject.toml": PROJECT + 'dependencies = ["six==1.17.0"]\n'},
    "poetry.lock": {
        "poetry.lock": '[[package]]\nname = "six"\nversion = "1.17.0"\ngroups = ["main"]\n'
        f'files = [{{file = "six.whl", hash = "{HASH}"}}]\n'
    },
    "pdm.lock": {
        "pdm.lock": '[metadata]\nstrategy = ["inherit_metadata"]\n[[package]]\nname = "six"\n'
        f'version = "1.17.0"\ngroups = ["default"]\nfiles = [{{hash = "{HASH}"}}]\n'
    },
    "Pipfile.lock": {
        "Pipfile.lock": json.dumps({"default": {"six": {"version": "==1.17.0", "hashes": [HASH]}}})
    },
    "hashed": {"requirements.txt": f"{SIX} \\\n    --hash={HASH}\nuwsgi==2.0.1\n"},
    "unhashed": {"requirements/prod.txt": "-r base.txt\nuwsgi", "requirements/base.txt": "six>1"},
    "project": {
        "pyproject.toml": PROJECT + "dependencies = []\ndynamic = []\n"
        '[project.optional-dependencies]\nproduction = ["six"]\n',
        "requirements.txt": ".[production]\n",
        "setup.py": SETUP.format(name="shop"),
    },
}


@pytest.mark.parametrize("kind", LOCKED)
def test_each_format_is_installed(tree: Path, kind: str) -> None:
    """With a uWSGI that fits, whichever the project names."""
    write(tree, LOCKED[kind])
    if kind == "pylock.toml":
        uv(tree, "lock")
        uv(tree, "export", "--format", "pylock.toml", "--output-file", "pylock.toml")
        (tree / "uv.lock").unlink()
    built = build(tree)
    assert installed(built) - {"shop"} == {"six", "uwsgi"}
    assert built.django == ""
    assert said(built, "python", "-c", "import six; print(six.__version__)") == "1.17.0\n"
    assert list(built.interpreter.site_packages(built.top).glob("__pycache__/six.*.pyc"))


@pytest.mark.slow
def test_a_changed_release_shares_what_has_not_changed(tree: Path) -> None:
    """And the project itself is installed anew, though its version is the same."""
    write(tree, {"pyproject.toml": PROJECT + 'dependencies = ["six"]\n' + SCRIPT + PACKED})
    write(tree, {"shop/__init__.py": "def main(): print('one')\n"})
    first = build(tree)
    assert said(first, "shop-manage") == "one\n"
    write(tree, {"shop/__init__.py": "def main(): print('two')\n"})
    second = build(tree, "2", former=first)
    assert (said(first, "shop-manage"), said(second, "shop-manage")) == ("one\n", "two\n")
    sites = [each.interpreter.site_packages(each.top) for each in (first, second)]
    assert (sites[0] / "six.py").samefile(sites[1] / "six.py")


def foreign_wheel(folder: Path) -> None:
    folder.mkdir()
    with zipfile.ZipFile(folder / "foreign-1.0-cp39-cp39-linux_x86_64.whl", "w") as wheel:
        wheel.writestr("foreign.py", "")
        info = "foreign-1.0.dist-info"
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: foreign\nVersion: 1.0\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: cp39-cp39-linux_x86_64\n")
        wheel.writestr(f"{info}/RECORD", "")


BAD = {
    "hash": (f"{SIX} --hash={WRONG}", r"six==1\.17\.0 is not the file that was locked"),
    "half hashed": (f"{SIX} --hash={HASH}\nidna==3.7", r"txt, line 2: 'idna==3\.7' has no hash"),
    "build": ("./bad", r"\./bad does not build: error: pg_config is missing"),
    "wheel": (
        "--find-links wheels\nforeign==1.0",
        "foreign 1.0 has wheels only for another Python",
    ),
    "index": (
        "six\n--index-url http://127.0.0.1:9/simple",
        r"requirements\.txt, line 2: http://127\.0\.0\.1:9/\S* cannot be fetched: .*refused.*"
        "overrides the index of this machine",
    ),
    "version": ("six==99.0", "no index has six==99.0"),
    "conflict": ("six==1.17.0\nsix==1.16.0", "you require six==1.17.0 and six==1.16.0"),
    "syntax": ("six ==", "Couldn't parse requirement"),
    "include": ("-r nowhere.txt", "nowhere.txt: cannot be read"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_installed_is_told_in_one_line_and_leaves_only_its_log(
    tree: Path, case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    listed, told = BAD[case]
    foreign_wheel(tree / "wheels")
    write(tree, {"requirements.txt": listed + "\n"})
    write(tree, {"bad/setup.py": "raise SystemExit('error: pg_config is missing')\n"})
    with pytest.raises((EnvironmentFailed, SettingsError), match=told) as caught:
        build(tree)
    assert "\n" not in str(caught.value)
    assert left(tree) <= {"env.log"}
    if isinstance(caught.value, EnvironmentFailed):
        log = Path(str(caught.value).rpartition("the whole log: ")[2])
        assert caught.value.output in log.read_text()
        assert log.stat().st_mode & 0o077 == 0


def test_a_project_without_django_is_told_which_file_lacks_it(tree: Path) -> None:
    (tree / "django" / "__init__.py").unlink()
    write(tree, {"requirements.txt": f"{SIX} --hash={HASH}\n"})
    with pytest.raises(EnvironmentFailed, match=r"requirements\.txt declares no Django"):
        build(tree)
    write(tree, {"requirements.txt": "Django==5.2.19; python_version < '3'\n"})
    with pytest.raises(EnvironmentFailed, match=r"requirements\.txt declares no Django"):
        build(tree)
    assert left(tree) == {"env.log"}


def test_a_wish_for_a_python_that_is_not_here(tree: Path) -> None:
    write(tree, {"requirements.txt": "six\n", ".python-version": "3.16\n"})
    with pytest.raises(
        EnvironmentFailed, match=r"asks for Python 3\.16, and this machine has none"
    ):
        build(tree)
    assert left(tree) == set()


SLOW = """
import os, pathlib, time
from setuptools import setup
begun, parent = pathlib.Path("begun"), os.getppid()
if not begun.exists():
    begun.touch()
    while os.getppid() == parent:
        time.sleep(0.02)
    raise SystemExit
setup(name="slow", version="1", py_modules=[])
"""
BUILD = """
import sys
from pathlib import Path
from backstage.virtualenvs import declared, interpreters, release_environment
top, tree = map(Path, sys.argv[1:])
release_environment.build(top, tree, declared.find(tree), interpreters.current())
"""


def test_a_call_after_one_that_was_killed_builds_it_anew(tree: Path, spawn: Spawn) -> None:
    write(tree, {"requirements.txt": f"{SIX} --hash={HASH}\n./slow\n", "slow/setup.py": SLOW})
    top = tree.parent / "releases" / "1" / "env"
    top.parent.mkdir(parents=True)
    process = spawn(sys.executable, "-c", BUILD, top, tree)
    assert until(lambda: (tree / "slow" / "begun").exists(), Deadline(PATIENCE))
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert (top / "bin" / "python").exists()
    (top / "half-done").touch()
    built = build(tree)
    assert installed(built) == {"six", "slow", "uwsgi"}
    assert not (top / "half-done").exists()


@pytest.fixture
def small_disk(tree: Path) -> Iterator[Path]:
    """The releases on a file system of their own, without room for uWSGI."""
    place = tree.parent / "releases"
    place.mkdir()
    size = "size=600k,mode=755"
    subprocess.run(["mount", "-t", "tmpfs", "-o", size, "tmpfs", place], check=True)
    yield place
    subprocess.run(["umount", "--lazy", place], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
@pytest.mark.parametrize("listed", ["six", "Django==5.2.*"])
def test_a_full_disk_leaves_only_the_log(tree: Path, small_disk: Path, listed: str) -> None:
    """Whether it is uv that fills it, or what is copied after."""
    write(tree, {"requirements.txt": f"{listed}\n"})
    with pytest.raises(BackstageError, match=r"[Nn]o space left") as caught:
        build(tree)
    assert isinstance(caught.value, CannotWrite | EnvironmentFailed)
    assert left(tree) == {"env.log"}
    assert getattr(caught.value, "errno", errno.ENOSPC) == errno.ENOSPC


def test_an_interpreter_of_another_build_shares_nothing(tree: Path) -> None:
    """Its extensions may not load there."""
    write(tree, {"requirements.txt": f"{SIX} --hash={HASH}\n"})
    first = build(tree)
    record = first.top / "built.json"
    told = json.loads(record.read_text())
    record.write_text(json.dumps({**told, "build": "another"}))
    second = build(tree, "2", former=first)
    sites = [each.interpreter.site_packages(each.top) for each in (first, second)]
    assert not (sites[0] / "six.py").samefile(sites[1] / "six.py")
    assert isinstance(second.interpreter, Interpreter)
