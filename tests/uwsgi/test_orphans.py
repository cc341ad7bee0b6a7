"""An Emperor whose Venue was removed is known by the lock that it holds, and by nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from backstage.errors import EmperorFailed
from backstage.system import processes
from backstage.system.deadlines import Deadline, until
from backstage.uwsgi import orphans

from ..conftest import Spawn
from ..patience import PATIENCE

# Opens a file, locks it or not, starts a child as daemons do, and says that it is done.
HOLDER = """
import fcntl, os, subprocess, sys, time
file = open(sys.argv[1], "w")
if sys.argv[2] == "locks":
    fcntl.lockf(file, fcntl.LOCK_EX)
subprocess.Popen(["sleep", "300"], stdout=subprocess.DEVNULL, start_new_session=True)
print(flush=True)
time.sleep(300)
"""


@pytest.fixture
def venue(tmp_path: Path) -> Path:
    top = tmp_path / "Venue"
    top.mkdir()
    return top


def held(spawn: Spawn, file: Path, *, locks: bool = True) -> subprocess.Popen[str]:
    process = spawn(sys.executable, "-c", HOLDER, file, "locks" if locks else "opens")
    assert process.stdout
    process.stdout.readline()
    return process


def found(top: Path) -> list[int]:
    return [each.pid for each in orphans.at(top)]


def test_it_is_found_from_when_its_lock_is_gone(venue: Path, spawn: Spawn) -> None:
    lock = venue / ".emperor.lock"
    process = held(spawn, lock)
    assert found(venue) == []
    lock.unlink()
    assert found(venue) == [process.pid]
    assert process.pid in {each.pid for each in orphans.find()}
    with pytest.raises(EmperorFailed, match=f"venue stop --orphan {process.pid}"):
        orphans.refuse_at(venue)
    lock.touch()
    assert found(venue) == [process.pid], "also where there is another Venue now"
    assert found(venue.with_name("Other")) == []


@pytest.mark.parametrize(
    ("name", "locks", "is_removed"),
    [
        (".emperor.lock", False, True),
        (".emperor.lock (deleted)", True, False),
        ("watcher.lock", True, True),
    ],
)
def test_others_are_none(
    venue: Path, spawn: Spawn, name: str, locks: bool, is_removed: bool
) -> None:
    """Whatever they have open, and whatever it is called."""
    process = held(spawn, venue / name, locks=locks)
    if is_removed:
        (venue / name).unlink()
    assert found(venue) == []
    for pid in (process.pid, os.getpid(), 1, 2**22):
        with pytest.raises(EmperorFailed, match="is no Emperor whose Venue was removed"):
            orphans.end(pid)
    assert process.poll() is None


def test_it_ends_with_all_that_it_has_started(venue: Path, spawn: Spawn) -> None:
    process = held(spawn, venue / ".emperor.lock")
    (venue / ".emperor.lock").unlink()
    everybody = processes.family(process.pid)
    assert len(everybody) == 2
    assert orphans.end(process.pid).venue == venue
    assert not processes.running(everybody)
    assert until(lambda: found(venue) == [], Deadline(PATIENCE))


def test_another_users_process_keeps_nobody_from_starting(
    venue: Path, spawn: Spawn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a file system of its own, any process can have had such a file at any path."""
    lock = venue / ".emperor.lock"
    process = held(spawn, lock)
    lock.unlink()
    with pytest.raises(EmperorFailed):
        orphans.refuse_at(venue)
    monkeypatch.setattr(orphans, "_owner", lambda _: os.geteuid() + 7)
    orphans.refuse_at(venue)
    assert processes.alive(process.pid)
