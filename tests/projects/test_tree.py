"""Walking through files that anybody may have put there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from backstage.projects import tree

from .trees import plant


def test_files_come_the_shallowest_first_and_what_was_installed_does_not(tmp_path: Path) -> None:
    names = {"a/b/deep.py": "", "z.py": "", "a/near.py": "", ".envs/.production/.django": ""}
    installed = {"node_modules/x/setup.py": "", ".git/config": "", "a/__pycache__/b.pyc": ""}
    own = {"venv/pyvenv.cfg": "", "venv/manage.py": ""}
    plant(tmp_path, {**names, **installed, **own})
    found = tree.walk(tmp_path).files
    assert found == ("z.py", "a/near.py", ".envs/.production/.django", "a/b/deep.py")


def test_no_link_is_followed(tmp_path: Path) -> None:
    """It could lead to what only the reader may see, or round in a circle."""
    secret = tmp_path / "secret.py"
    secret.write_text("KEY = 1")
    top = plant(tmp_path / "top", {"a/real.py": "x = 1"})
    (top / "link.py").symlink_to(secret)
    (top / "a/round").symlink_to(top)
    (top / "outside").symlink_to(tmp_path)
    os.mkfifo(top / "pipe.py")
    found = tree.walk(top)
    assert found.files == ("a/real.py",)
    assert found.text("link.py") == ""
    assert found.text("pipe.py") == ""


def test_the_walk_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = "/".join(["d"] * 20)
    plant(tmp_path, {f"{deep}/manage.py": ""})
    assert tree.walk(tmp_path).files == ()
    monkeypatch.setattr(tree, "_MOST_ENTRIES", 10)
    plant(tmp_path, {f"f{number}.py": "" for number in range(30)})
    found = tree.walk(tmp_path)
    assert found.is_cut
    assert len(found.files) <= 10


def test_any_bytes_are_read_as_text(tmp_path: Path) -> None:
    (tmp_path / "bom.py").write_bytes(b"\xef\xbb\xbfX = 1")
    (tmp_path / "latin.py").write_bytes(b"NAME = '\xfc'\0")
    (tmp_path / "large.py").write_bytes(b"#" * 300_000)
    (tmp_path / os.fsdecode(b"\xff.py")).write_bytes(b"")
    found = tree.walk(tmp_path)
    assert found.files == ("bom.py", "large.py", "latin.py")
    assert found.text("bom.py") == "X = 1"
    assert found.text("latin.py") == "NAME = '\N{REPLACEMENT CHARACTER}'"
    assert found.text("large.py") == ""
