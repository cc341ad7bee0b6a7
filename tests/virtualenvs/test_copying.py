"""Copying installed distributions, by their RECORDs, from one environment into another."""

from __future__ import annotations

import importlib.util
import os
import py_compile
import subprocess
import sys
import sysconfig
from pathlib import Path

import django
import pytest

from backstage.virtualenvs.copying import copy
from backstage.virtualenvs.distributions import Library
from tests.conftest import LONG_AGO, Environment

OURS = Path(sysconfig.get_path("purelib"))
SCRIPT = "import sys\nprint(sys.executable)\nprint(sys.argv[1:])\n"


def copy_all(source: Environment, target: Environment, *names: str) -> None:
    files = Library(source.site).files_of(names)
    assert files
    copy(files, source.site, target.top, target.site)


@pytest.fixture
def source(tmp_path: Path) -> Environment:
    return Environment(tmp_path / "source")


@pytest.fixture
def target(tmp_path: Path) -> Environment:
    return Environment(tmp_path / "target")


def test_a_copy_of_django_is_complete(target: Environment) -> None:
    """Every file of every RECORD is copied with its content, mode and mtime, and Python runs it."""
    files = Library(OURS).files_of(["Django"])
    assert files is not None
    assert len(files) > 3000
    copy(files, OURS, target.top, target.site)

    for name in files:
        original = Path(os.path.normpath(OURS / name))
        if original.suffix == ".pyc" and not original.exists():
            continue
        there = Path(os.path.normpath(target.site / name))
        before, after = original.stat(), there.stat()
        assert before.st_mode == after.st_mode, name
        if "/bin/" not in str(there):
            assert before.st_mtime_ns == after.st_mtime_ns, name
            assert original.read_bytes() == there.read_bytes(), name

    (target.top / "bin" / "python").symlink_to(Path(sys.executable).resolve())
    said = subprocess.run(
        [target.top / "bin" / "django-admin", "--version"],
        env={"PYTHONPATH": str(target.site)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert said.stdout.strip() == django.get_version()


@pytest.mark.parametrize("place", ["plain", "two words", "x" * 130, "two words " + "x" * 130])
@pytest.mark.parametrize(
    "shebang",
    [
        "#!/source/bin/python\n",
        "#!/source/bin/python3.11 -E\n",
        "#!/usr/bin/env python3\n",
        "#!/bin/sh\n'''exec' \"/the source/bin/python\" \"$0\" \"$@\"\n' '''\n",
    ],
)
def test_scripts_run_the_python_of_their_new_environment(
    tmp_path: Path, source: Environment, place: str, shebang: str
) -> None:
    """This holds for each form of the first line, also for a path that is long or has spaces."""
    source.install("tool", {"../../../bin/tool": shebang + SCRIPT})
    (source.top / "bin" / "tool").chmod(0o755)
    target = Environment(tmp_path / place)
    copy_all(source, target, "tool")
    python = target.top / "bin" / "python"
    python.symlink_to(Path(sys.executable).resolve())
    tool = target.top / "bin" / "tool"
    said = subprocess.run(
        [tool, "a b", "$c"], capture_output=True, text=True, check=True, timeout=60
    )
    assert said.stdout == f"{python}\n['a b', '$c']\n"
    first_line = tool.read_text().splitlines()[0]
    # The length that every kernel accepts.
    assert len(first_line) <= 127
    assert " " not in first_line
    assert "source" not in tool.read_text()
    assert tool.stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize(
    "content", ["#!/bin/sh\necho hello\n", "\x7fELF python\n", "#!/usr/bin/env perl\nprint 1;\n"]
)
def test_programs_that_are_no_python_stay_as_they_are(
    source: Environment, target: Environment, content: str
) -> None:
    source.install("tool", {"../../../bin/tool": content})
    copy_all(source, target, "tool")
    assert (target.top / "bin" / "tool").read_text() == content


@pytest.mark.parametrize(
    "content",
    [
        "#!/bin/sh\n# Calls python.\nexec python -m tool\n# End.\n",
        "#!/usr/bin/env bash\nexec python -m tool\n",
    ],
)
def test_shell_scripts_that_call_python_stay_shell_scripts(
    source: Environment, target: Environment, content: str
) -> None:
    source.install("tool", {"../../../bin/tool": content})
    copy_all(source, target, "tool")
    assert (target.top / "bin" / "tool").read_text() == content


def test_bytecode_stays_valid(source: Environment, target: Environment) -> None:
    """Python accepts it beside a source with the same mtime and size, and compiles nothing."""
    cached = Path(importlib.util.cache_from_source("tool.py"))
    source.install("tool", {"tool.py": "WORD = 'source'\n", str(cached): ""})
    py_compile.compile(str(source.site / "tool.py"), str(source.site / cached), doraise=True)
    os.utime(source.site / cached, (LONG_AGO, LONG_AGO))
    copy_all(source, target, "tool")
    subprocess.run(
        [sys.executable, "-c", "import tool"],
        env={"PYTHONPATH": str(target.site)},
        check=True,
        timeout=60,
    )
    assert (target.site / cached).stat().st_mtime == LONG_AGO
    assert (target.site / cached).read_bytes() == (source.site / cached).read_bytes()


def test_bytecode_that_is_listed_but_gone_is_no_obstacle(
    source: Environment, target: Environment
) -> None:
    source.install("tool", {"tool.py": "", "tool.pyc": "", "data.txt": ""})
    (source.site / "tool.pyc").unlink()
    copy_all(source, target, "tool")
    assert not (target.site / "tool.pyc").exists()
    (source.site / "data.txt").unlink()
    with pytest.raises(FileNotFoundError):
        copy_all(source, target, "tool")


def test_what_is_there_is_overwritten_and_what_is_beside_it_stays(
    source: Environment, target: Environment
) -> None:
    source.install("tool", {"tool.py": "new\n", "a, b/c.txt": "data\n", "../../../share/x": "x\n"})
    (target.site / "tool.py").write_text("old and longer\n")
    (target.site / "other.py").write_text("other\n")
    copy_all(source, target, "tool")
    assert (target.site / "tool.py").read_text() == "new\n"
    assert (target.site / "other.py").read_text() == "other\n"
    assert (target.site / "a, b" / "c.txt").read_text() == "data\n"
    assert (target.top / "share" / "x").read_text() == "x\n"


@pytest.mark.parametrize("way_out", ["../x", "../../x", "../../../../x", "deep/../../../../../x"])
def test_nothing_is_written_outside_of_the_environment(tmp_path: Path, way_out: str) -> None:
    """Inside it, files go only to site-packages and to paths below its top."""
    source = Environment(tmp_path / "one" / "source")
    target = Environment(tmp_path / "two" / "target")
    (target.site / "deep").mkdir()
    source.install("tool", {"deep/tool.py": "", way_out: "escaped\n"})
    copy_all(source, target, "tool")
    assert (target.site / "deep" / "tool.py").exists()
    assert not Path(os.path.normpath(target.site / way_out)).exists()
