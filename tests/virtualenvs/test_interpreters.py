"""Finding the Python for a Venue."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from backstage.errors import EnvironmentFailed
from backstage.virtualenvs.interpreters import Interpreter, current, find


def test_current_is_the_python_below_any_environment() -> None:
    """The interpreter itself reports that it is outside any environment, and its build."""
    interpreter = current()
    script = "import sys; print(sys.prefix == sys.base_prefix, sys.version_info[:3], sys.version)"
    done = subprocess.run(
        [interpreter.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout == f"True {interpreter.version} {interpreter.build}\n"
    assert not interpreter.executable.is_symlink()


@pytest.mark.parametrize(
    "wish",
    [None, sys.executable, Path(sys.executable), ".".join(map(str, sys.version_info[:3]))],
    ids=["none", "executable", "path", "version"],
)
def test_the_same_python_by_any_name_is_the_same(wish: str | Path | None) -> None:
    """So files compiled for it are reused."""
    found = find(wish)
    assert found.version == current().version
    if not isinstance(wish, str) or "/" in wish:
        assert found == current()


@pytest.mark.parametrize("wish", ["3.99", "/nonexistent/python", "/etc/passwd", "/"])
def test_what_is_no_python_is_told_so(wish: str) -> None:
    with pytest.raises(EnvironmentFailed) as caught:
        find(wish)
    assert wish in str(caught.value)


def test_a_python_that_is_too_old_is_named() -> None:
    """The version is the interpreter's own report, whatever the name of its executable."""
    old = next((path for path in _older_pythons()), None)
    if old is None:
        pytest.skip("no Python older than 3.11 here")
    with pytest.raises(EnvironmentFailed, match=r"is Python 3\.\d+; Venues need 3\.11 or newer"):
        find(old)


def _older_pythons() -> list[Path]:
    versions = Path("~/.pyenv/versions").expanduser()
    return [path for minor in (8, 9, 10) for path in versions.glob(f"3.{minor}.*/bin/python3")]


def test_a_key_names_one_interpreter_and_no_other() -> None:
    """The same version is not enough: path and build count as well."""
    ours = Interpreter(Path("/usr/bin/python3.11"), (3, 11, 7), "3.11.7 (main) [GCC 12.2.0]")
    others = [
        replace(ours, executable=Path("/opt/bin/python3.11")),
        replace(ours, build="3.11.7 (main) [Clang 18]"),
        replace(ours, version=(3, 11, 8)),
    ]
    assert len({ours.key, *(other.key for other in others)}) == 4
    assert replace(ours).key == ours.key
    assert ours.key.startswith("cpython-3.11.7-")
    assert "/" not in ours.key


def test_modules_are_installed_where_python_looks_for_them() -> None:
    ours = Interpreter(Path("/usr/bin/python3.13"), (3, 13, 1), "")
    assert ours.site_packages(Path("/srv/V")) == Path("/srv/V/lib/python3.13/site-packages")
