"""Environments that share their files."""

from __future__ import annotations

from pathlib import Path

import pytest

from backstage.virtualenvs.linking import fingerprint, link_tree
from tests.conftest import Environment


@pytest.fixture
def source(tmp_path: Path) -> Environment:
    made = Environment(tmp_path / "source")
    made.install("tool", {"tool.py": "X = 1\n", "../../../bin/tool": "#!/bin/sh\n"})
    (made.site / "alias.py").symlink_to("tool.py")
    (made.site / "__pycache__").mkdir()
    (made.site / "__pycache__" / "tool.pyc").write_text("")
    return made


def test_files_are_shared_and_programs_are_copied(tmp_path: Path, source: Environment) -> None:
    """A program may be written to while it is not running; what is there stays."""
    target = Environment(tmp_path / "target")
    (target.site / "tool-1.0.dist-info").mkdir()
    (target.site / "tool-1.0.dist-info" / "RECORD").write_text("own")
    (target.top / "bin" / "python").write_text("own")
    (source.top / "bin" / "python").write_text("theirs")
    (source.top / "pyvenv.cfg").write_text("theirs")
    link_tree(source.top, target.top)
    assert (target.site / "tool.py").samefile(source.site / "tool.py")
    assert (target.site / "__pycache__" / "tool.pyc").exists()
    assert (target.site / "alias.py").readlink() == Path("tool.py")
    assert not (target.top / "bin" / "tool").samefile(source.top / "bin" / "tool")
    assert (target.top / "bin" / "python").read_text() == "own"
    assert (target.site / "tool-1.0.dist-info" / "RECORD").read_text() == "own"
    assert not (target.top / "pyvenv.cfg").exists()
    assert fingerprint(target.site) != fingerprint(source.site)


def test_a_copy_by_links_is_the_same(tmp_path: Path, source: Environment) -> None:
    target = Environment(tmp_path / "target")
    link_tree(source.top, target.top)
    assert fingerprint(source.site) == fingerprint(target.site)


@pytest.mark.parametrize("change", ["edit", "add", "remove"])
def test_a_change_by_hand_is_noticed(source: Environment, change: str) -> None:
    """Bytecode is none: Python adds it."""
    before = fingerprint(source.site)
    (source.site / "__pycache__" / "other.pyc").write_text("")
    assert fingerprint(source.site) == before
    if change == "edit":
        (source.site / "tool.py").write_text("X = 2\n")
    elif change == "add":
        (source.site / "more.py").write_text("")
    else:
        (source.site / "tool.py").unlink()
    assert fingerprint(source.site) != before
