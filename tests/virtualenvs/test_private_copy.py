"""The private copy of the library: complete, alone, and made in one step."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from backstage.layout.paths import VenuePaths
from backstage.virtualenvs import copying, private_copy

# Imports every module of the library that the copy has; prints the files of all modules.
ALL = """
import importlib, pkgutil, sys
sys.path.insert(0, sys.argv[1])
import backstage, filelock, psutil
for module in pkgutil.walk_packages(backstage.__path__, "backstage."):
    if ".inside." not in module.name:
        importlib.import_module(module.name)
files = {getattr(module, "__file__", None) for module in sys.modules.values()}
print(*sorted(files - {None}), sep="\\n")
"""


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> VenuePaths:
    paths = VenuePaths(tmp_path_factory.mktemp("venue"))
    private_copy.make(paths)
    return paths


def content(paths: VenuePaths) -> list[str]:
    return sorted(entry.name for entry in paths.own.iterdir())


def test_it_needs_nothing_else(paths: VenuePaths) -> None:
    """Every module of it can be imported without the environment that it was copied from."""
    library = paths.library.resolve()
    words = [sys.executable, "-I", "-S", "-c", ALL, library]
    done = subprocess.run(words, capture_output=True, text=True, check=True, timeout=120)
    files = [Path(line) for line in done.stdout.splitlines()]
    ours = [file for file in files if file.is_relative_to(library)]
    assert {file.relative_to(library).parts[0] for file in ours} == {
        *("backstage", "filelock", "psutil", "watchdog", "yaml"),
    }
    strange = [file for file in files if file not in ours and "site-packages" in file.parts]
    assert not strange
    assert not [file for file in files if file.is_relative_to(Path(__file__).parents[2])]


def test_nobody_else_can_enter_or_change_it(paths: VenuePaths) -> None:
    assert paths.own.stat().st_mode & 0o777 == 0o700
    assert {path.lstat().st_uid for path in paths.own.rglob("*")} == {os.geteuid()}
    assert not [
        path for path in paths.own.rglob("*") if path.is_symlink() and path.name != "library"
    ]


def test_a_file_of_it_is_no_other_name_of_the_original(paths: VenuePaths) -> None:
    """An edit in one place would change the other, and root's would be changed by users."""
    assert {path.stat().st_nlink for path in paths.own.rglob("*.py")} == {1}


def test_a_new_one_takes_the_place_of_the_old_one(paths: VenuePaths) -> None:
    before = paths.library.readlink()
    private_copy.make(paths)
    assert paths.library.readlink() != before
    assert content(paths) == sorted(["library", str(paths.library.readlink())])


def test_a_failure_leaves_the_old_one(paths: VenuePaths, monkeypatch: pytest.MonkeyPatch) -> None:
    before = content(paths)
    made: list[str] = []
    copy = copying.copy

    def failing(*words: object) -> None:
        made.extend(content(paths))
        if len(made) > len(before):
            raise OSError(28, "No space left on device")
        copy(*words)  # type: ignore[arg-type]

    monkeypatch.setattr(copying, "copy", failing)
    with pytest.raises(OSError, match="No space"):
        private_copy.make(paths)
    assert content(paths) == before
