"""The journal of an upgrade: it puts back what was there, and nothing that is not its own."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from backstage.layout.paths import VenuePaths
from backstage.operations import upgrade_journal
from backstage.operations.upgrade_journal import Journal
from backstage.system import processes


@pytest.fixture
def paths(tmp_path: Path) -> VenuePaths:
    paths = VenuePaths(tmp_path)
    paths.own.mkdir()
    paths.templates.mkdir()
    return paths


def journal(paths: VenuePaths, **texts: str) -> Journal:
    facts = processes.facts(os.getpid())
    assert facts
    files = {name: upgrade_journal.change(paths, name, text) for name, text in texts.items()}
    made = Journal(pid=os.getpid(), began=facts.began, files=files, copy="", has_residents=False)
    upgrade_journal.write(paths, made)
    return made


def test_it_is_read_as_it_was_written(paths: VenuePaths) -> None:
    """Also text that is not UTF-8."""
    (paths.top / "launch").write_bytes(b"# \xff\n")
    made = journal(paths, launch="new\n")
    assert upgrade_journal.read(paths) == made
    assert made.files["launch"].before == "# \udcff\n"
    upgrade_journal.remove(paths)
    assert upgrade_journal.read(paths) is None


def test_everything_is_put_back(paths: VenuePaths) -> None:
    old, added = paths.top / "launch", paths.top / "added"
    old.write_bytes(b"# \xff\n")
    old.chmod(0o750)
    made = journal(paths, launch="new\n", added="new\n")
    for name, change in made.files.items():
        upgrade_journal.apply(paths, name, change)
    assert old.read_text() == added.read_text() == "new\n"
    assert old.stat().st_mode & 0o777 == 0o750
    paths.residents.mkdir()
    upgrade_journal.put_back(paths, made)
    assert old.read_bytes() == b"# \xff\n"
    assert old.stat().st_mode & 0o777 == 0o750
    assert not added.exists()
    assert not paths.residents.exists()


def test_an_edit_made_since_is_not_put_back(paths: VenuePaths) -> None:
    old = paths.top / "launch"
    old.write_text("old\n")
    made = journal(paths, launch="new\n")
    old.write_text("mine\n")
    upgrade_journal.put_back(paths, made)
    assert old.read_text() == "mine\n"


def test_a_process_is_known_by_its_start_too(paths: VenuePaths) -> None:
    """A pid may have been given to another process since."""
    made = journal(paths)
    assert made.is_of_another(1)
    assert not made.is_of_another(os.getpid())
    assert not replace(made, began=made.began - 1).is_of_another(1)
