"""The watcher as others see it: whether it runs, and that it stands in nobody's way."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

from backstage.errors import Busy
from backstage.facts.watching import Watcher, Watching
from backstage.layout.paths import VenuePaths
from backstage.system import locks, processes
from backstage.system.deadlines import Deadline, until
from backstage.uwsgi import resident
from tests.conftest import Spawn

PATIENCE = 30.0
# Holds what its arguments name: `watcher` for the lock of the watcher, `act` for that of an Act.
HOLDER = """
import sys, time
from pathlib import Path
from backstage.layout.paths import VenuePaths
from backstage.system.files import hold_lock
from backstage.system.locks import locked
paths = VenuePaths(Path(sys.argv[1]))
if "watcher" in sys.argv:
    assert hold_lock(paths.watcher_lock)
if "act" in sys.argv:
    lock = locked(paths.act("blog").lock, "holding")
    lock.__enter__()
print("held", flush=True)
time.sleep(600)
"""


@pytest.fixture
def paths(tmp_path: Path) -> VenuePaths:
    paths = VenuePaths(tmp_path)
    paths.residents.mkdir(parents=True)
    paths.run.mkdir()
    return paths


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lock that is never released must fail a test quickly, not after minutes."""
    monkeypatch.setattr(locks, "_PATIENCE", 20.0)


def hold(spawn: Spawn, paths: VenuePaths, *what: str) -> int:
    holder = spawn(sys.executable, "-c", HOLDER, paths.top, *what)
    assert holder.stdout
    assert holder.stdout.readline() == "held\n"
    return holder.pid


def halt(pid: int) -> None:
    os.kill(pid, signal.SIGSTOP)
    assert until(lambda: bool((facts := processes.facts(pid)) and facts.halted), Deadline(PATIENCE))


def test_the_kernel_says_whether_it_runs(paths: VenuePaths, spawn: Spawn) -> None:
    """Whatever the setting is, and whatever a file says."""
    paths.watcher_lock.write_text("1\n")
    assert resident.look(paths, wanted=True, emperor=None) == Watcher(Watching.STOPPED)
    assert resident.look(paths, wanted=True, emperor=1).state is Watching.MISSING
    assert resident.look(paths, wanted=False, emperor=1) == Watcher(Watching.OFF)
    pid = hold(spawn, paths, "watcher")
    assert resident.look(paths, wanted=False, emperor=None) == Watcher(Watching.RUNNING, pid)
    halt(pid)
    assert resident.look(paths, wanted=True, emperor=1) == Watcher(Watching.HALTED, pid)


def test_an_emperor_that_is_new_has_not_failed_to_start_it(paths: VenuePaths, spawn: Spawn) -> None:
    emperor = hold(spawn, paths)
    assert resident.look(paths, wanted=True, emperor=emperor).state is Watching.STARTING


def test_its_file_comes_and_goes_with_the_setting(paths: VenuePaths) -> None:
    for _ in range(2):
        resident.arrange(paths, wanted=True)
        assert [path.name for path in paths.residents.iterdir()] == [".watcher.ini"]
    for _ in range(2):
        resident.arrange(paths, wanted=False)
        assert not list(paths.residents.iterdir())


def test_a_venue_without_a_place_for_it_is_left_alone(paths: VenuePaths) -> None:
    """An older version has made it, and its Emperor would take the file for an Act's."""
    paths.residents.rmdir()
    resident.arrange(paths, wanted=True)
    resident.arrange(paths, wanted=False)
    assert not paths.residents.exists()
    assert resident.look(paths, wanted=True, emperor=1) == Watcher(Watching.UNSUPPORTED)


def test_a_halted_watcher_keeps_no_command_from_an_act(paths: VenuePaths, spawn: Spawn) -> None:
    halt(hold(spawn, paths, "watcher", "act"))
    with resident.locked_act(paths.act("blog"), "restarting blog"):
        assert resident.look(paths, wanted=True, emperor=1).pid is None


def test_nor_does_one_that_hangs(
    paths: VenuePaths, spawn: Spawn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resident, "_LONGEST_HOLD", 0.5)
    hold(spawn, paths, "watcher", "act")
    with resident.locked_act(paths.act("blog"), "restarting blog"):
        assert resident.look(paths, wanted=True, emperor=1).pid is None


def test_nobody_but_the_watcher_is_killed_for_a_lock(
    paths: VenuePaths, spawn: Spawn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not a command that somebody has halted, nor a watcher that works, for another's lock."""
    monkeypatch.setattr(resident, "_LONGEST_HOLD", 0.2)
    monkeypatch.setattr(locks, "_PATIENCE", 2.0)
    command, watcher = hold(spawn, paths, "act"), hold(spawn, paths, "watcher")
    halt(command)
    with pytest.raises(Busy), resident.locked_act(paths.act("blog"), "restarting blog"):
        pass
    assert processes.alive(command)
    assert processes.alive(watcher)


def test_only_a_halted_one_is_killed_before_the_emperor_ends(
    paths: VenuePaths, spawn: Spawn
) -> None:
    pid = hold(spawn, paths, "watcher")
    resident.end_halted(paths)
    assert processes.alive(pid)
    halt(pid)
    resident.end_halted(paths)
    assert until(lambda: not processes.alive(pid), Deadline(PATIENCE))
