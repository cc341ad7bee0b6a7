"""Venues of every Python there is here, and of every kind of uWSGI."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from backstage.errors import EnvironmentFailed
from backstage.shortcuts import new_act, new_venue
from backstage.virtualenvs import interpreters
from backstage.virtualenvs.cache import PyuwsgiWarning
from backstage.virtualenvs.interpreters import Interpreter

from .conftest import fetch, processes_within

CHECKOUT = Path(__file__).parents[2]

pytestmark = pytest.mark.slow

# What a user does with an Act, printed for comparison.
LIFE = """
import sys, urllib.request
from backstage.shortcuts import new_act, new_venue
venue = new_venue(sys.argv[1], sys.argv[2], python=sys.argv[3] or None)
try:
    act = new_act(venue, "blog")
    def show():
        print(urllib.request.urlopen(act.url).status, act.state)
    show()
    pid = act.pid
    act.restart()
    show()
    print(pid == act.pid)
    act.stop()
    print(act.state)
    act.start()
    show()
finally:
    venue.stop()
"""
LIVED = "200 running\n200 running\nTrue\nstopped\n200 running\n"


def interpreter(version: str) -> Interpreter:
    try:
        return interpreters.find(version)
    except EnvironmentFailed:
        pytest.skip(f"no Python {version} here")


@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13", "3.14"])
def test_a_venue_of_another_python(stage: Path, version: str) -> None:
    found = interpreter(version)
    venue = new_venue(f"py{version}", stage, python=version)
    act = new_act(venue, "blog")
    page = fetch(act)[1]
    assert ".".join(map(str, found.version)) in page
    django = "5.2" if found.version < (3, 12) else "6."
    assert act.manage("version").startswith(django)
    act.restart()
    assert fetch(act, "readyz")[0] == 200
    assert fetch(act, "admin/")[0] == 200
    warnings = act.manage("check", "--deploy")
    assert {line.split(")")[0] for line in warnings.split("?: (")[1:]} == {
        *("security.W004", "security.W008", "security.W012", "security.W016")
    }
    act.paths.env_file.write_text(act.paths.env_file.read_text() + "TLS=on\n")
    assert "no issues" in act.manage("check", "--deploy")
    venue.stop()


def test_the_prebuilt_uwsgi_of_the_librarys_own_environment(stage: Path, tmp_path: Path) -> None:
    """An installation without a compiler: everything works, and what is missing is told."""
    top = tmp_path / "environment"
    subprocess.run([sys.executable, "-m", "venv", top], check=True)
    needs = ["django", "django-environ", "filelock", "idna", "packaging", "psutil"]
    needs += ["python-discovery", "pyyaml", "uv", "virtualenv", "watchdog", "pyuwsgi"]
    python = str(top / "bin" / "python")
    pip = [python, "-m", "pip", "install", "--quiet"]
    subprocess.run([*pip, *needs], check=True)
    subprocess.run([*pip, "--no-deps", str(CHECKOUT)], check=True)
    done = subprocess.run(
        [python, "-c", LIFE, "prebuilt", str(stage), ""],
        capture_output=True, text=True, timeout=120, cwd=tmp_path,
    )  # fmt: skip
    assert done.stdout == LIVED, done.stderr
    assert "PyuwsgiWarning: using the prebuilt pyuwsgi, which lacks TLS" in done.stderr
    assert not processes_within(stage / "prebuilt")


def test_without_a_compiler_another_python_gets_the_prebuilt_uwsgi(
    stage: Path, tmp_path: Path
) -> None:
    version = next(v for v in ("3.12", "3.11") if interpreter(v) != interpreters.current())
    tools = tmp_path / "tools"
    tools.mkdir()
    for tool in ("sh", "setsid", "setpriv", "env", "readlink", "stat"):
        (tools / tool).symlink_to(f"/usr/bin/{tool}")
    without = {**os.environ, "PATH": str(tools), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    done = subprocess.run(
        [sys.executable, "-c", LIFE, "uncompiled", str(stage), version],
        capture_output=True, text=True, timeout=240, env=without,
    )  # fmt: skip
    assert done.stdout == LIVED, done.stderr
    assert PyuwsgiWarning.__name__ in done.stderr
