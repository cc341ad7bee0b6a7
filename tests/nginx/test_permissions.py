"""What nginx's user may read, tried as that user, and what lets it."""

from __future__ import annotations

import os
import pwd
import shlex
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from backstage.nginx.permissions import Reader

NOBODY = pwd.getpwnam("nobody").pw_uid
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root is somebody else at will")


@pytest.fixture
def shared() -> Iterator[Path]:
    """A directory that everybody can come into, unlike those of pytest."""
    with TemporaryDirectory(prefix="it's shared ", dir="/tmp") as name:
        shared = Path(name)
        shared.chmod(0o755)
        (shared / "page.css").write_text("")
        (shared / "page.css").chmod(0o644)
        yield shared


def test_who_runs_this_reads_what_is_his(shared: Path) -> None:
    me = Reader(os.geteuid())
    assert me.can_be_tried
    assert me.name == pwd.getpwuid(os.geteuid()).pw_name
    assert me.can("-r", shared / "page.css")
    assert not me.can("-r", shared / "none.css")
    assert me.command_to_read(shared) == me.command_to_read(shared / "none" / "yet") == ""


@needs_root
def test_the_first_closed_directory_is_the_one_to_open(shared: Path) -> None:
    inner = shared / "a" / "b"
    inner.mkdir(parents=True)
    (shared / "a").chmod(0o700)
    inner.chmod(0o700)
    remedy = f"chmod o+x {shlex.quote(f'{shared}/a')}"
    assert Reader(NOBODY).command_to_enter(inner) == remedy
    assert Reader(NOBODY).command_to_read(inner / "not yet") == remedy


@needs_root
def test_one_file_that_is_closed_opens_them_all(shared: Path) -> None:
    nobody = Reader(NOBODY)
    assert nobody.command_to_read(shared) == ""
    (shared / "page.css").chmod(0o600)
    assert not nobody.can("-r", shared / "page.css")
    assert nobody.command_to_read(shared) == f"chmod -R o+rX {shlex.quote(str(shared))}"
