"""`templates/launch` begins the watcher; root trusts nothing that others could change."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from backstage.layout.shipped_files import shelf

NOBODY = 65534


@pytest.mark.skipif(os.geteuid() != 0, reason="only root could be led to the files of others")
def test_root_writes_no_log_where_another_user_may_have_put_a_link(tmp_path: Path) -> None:
    own, precious = tmp_path / ".backstage", tmp_path / "precious"
    own.mkdir()
    (own / "library").mkdir()
    precious.write_text("precious\n")
    (own / "watcher.log").symlink_to(precious)
    os.chown(own, NOBODY, NOBODY)
    text = (shelf("scaffolds") / "venue" / "templates" / "launch").read_text()
    script = tmp_path / "launch"
    script.write_text(text.replace("@VENUE@", str(tmp_path)))
    words = ["/bin/sh", script, "--ini", ".watcher.ini"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "belongs to another user" in done.stderr
    assert precious.read_text() == "precious\n"
    assert (own / "watcher.log").is_symlink()


@pytest.mark.parametrize("is_left", [True, False])
def test_nothing_is_launched_from_a_copy(tmp_path: Path, is_left: bool) -> None:
    """Whoever runs the copy's Emperor by hand is told; nothing of the original runs."""
    for name in ("Drei", "Kopie"):
        (tmp_path / name / "templates").mkdir(parents=True)
    text = (shelf("scaffolds") / "venue" / "templates" / "launch").read_text()
    script = tmp_path / "Kopie" / "templates" / "launch"
    script.write_text(text.replace("@VENUE@", str(tmp_path / "Drei")))
    if not is_left:
        (tmp_path / "Drei").rename(tmp_path / "elsewhere")
    words = ["/bin/sh", script, "--ini", "blog.ini"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("blog.ini: not started")
    assert f"backstage --venue '{tmp_path / 'Kopie'}' relocate" in done.stderr
    assert not list((tmp_path / "Kopie").glob("run"))
