"""Locks between real processes."""

from __future__ import annotations

import os
import signal
import stat
import sys
from pathlib import Path

import pytest

from backstage.errors import Busy
from backstage.system import locks
from backstage.system.locks import locked, locked_if_free
from tests.conftest import Spawn

HOLDER = """
import sys
from pathlib import Path
from backstage.system.locks import locked
with locked(Path(sys.argv[1]), "holding"):
    print("held", flush=True)
    sys.stdin.read()
"""
# Each turn records its beginning and, a moment later, its end.
WORKER = """
import sys, time
from pathlib import Path
from backstage.system.locks import locked
name, lock, trace = sys.argv[1:]
print("ready", flush=True)
sys.stdin.readline()
for _ in range(20):
    with locked(Path(lock), "working"):
        for word in ("in", "out"):
            with open(trace, "a") as file:
                file.write(f"{name} {word}\\n")
            time.sleep(0.001)
"""


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lock that is never released must fail a test quickly, not after minutes."""
    monkeypatch.setattr(locks, "_PATIENCE", 20.0)


def hold(spawn: Spawn, lock: Path) -> int:
    holder = spawn(sys.executable, "-c", HOLDER, lock)
    assert holder.stdout
    assert holder.stdout.readline() == "held\n"
    return holder.pid


def test_two_processes_exclude_each_other(tmp_path: Path, spawn: Spawn) -> None:
    lock, trace = tmp_path / "lock", tmp_path / "trace"
    workers = [spawn(sys.executable, "-c", WORKER, name, lock, trace) for name in "ab"]
    for worker in workers:
        assert worker.stdout
        assert worker.stdout.readline() == "ready\n"
    for worker in workers:
        assert worker.stdin
        worker.stdin.write("go\n")
        worker.stdin.flush()
    assert [worker.wait(30) for worker in workers] == [0, 0]
    lines = trace.read_text().split("\n")[:-1]
    assert len(lines) == 80
    assert {line.split()[0] for line in lines} == {"a", "b"}
    for begin, end in zip(lines[::2], lines[1::2], strict=True):
        assert (begin.split()[1], end) == ("in", f"{begin.split()[0]} out")


def test_a_killed_holder_frees_it(tmp_path: Path, spawn: Spawn) -> None:
    lock = tmp_path / "lock"
    os.kill(hold(spawn, lock), signal.SIGKILL)
    with locked(lock, "taking over"):
        pass


def test_who_waits_too_long_is_told_for_what(
    tmp_path: Path, spawn: Spawn, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = tmp_path / "lock"
    hold(spawn, lock)
    monkeypatch.setattr(locks, "_PATIENCE", 0.1)
    with pytest.raises(Busy) as caught, locked(lock, "starting blog"):
        pass
    assert str(caught.value).startswith("starting blog: another process has held")
    assert f"`fuser -v '{lock}'`" in str(caught.value)


def test_who_waits_is_asked_to_make_way(tmp_path: Path, spawn: Spawn) -> None:
    """Again and again, with the time that it has waited, until the lock is free."""
    pid, waited = hold(spawn, tmp_path / "lock"), []

    def make_way(seconds: float) -> None:
        assert locks.holder_of(tmp_path / "lock") == pid
        waited.append(seconds)
        if len(waited) == 2:
            os.kill(pid, signal.SIGKILL)

    with locked(tmp_path / "lock", "waiting", make_way=make_way):
        assert waited == sorted(waited)
        assert len(waited) >= 2
        assert locks.holder_of(tmp_path / "lock") == os.getpid()
    assert locks.holder_of(tmp_path / "lock") is None
    assert locks.holder_of(tmp_path / "none") is None


def test_an_error_inside_frees_it(tmp_path: Path, spawn: Spawn) -> None:
    lock = tmp_path / "lock"
    with pytest.raises(ZeroDivisionError), locked(lock, "dividing"):
        raise ZeroDivisionError
    hold(spawn, lock)


def test_it_makes_a_directory_that_nobody_else_enters(tmp_path: Path) -> None:
    with locked(tmp_path / "run" / "lock", "starting"):
        assert stat.S_IMODE((tmp_path / "run").stat().st_mode) == 0o700


def test_who_does_not_wait_is_told_whether_it_is_free(tmp_path: Path, spawn: Spawn) -> None:
    """The answer comes immediately, and anew for each attempt."""
    lock = tmp_path / "lock"
    with locked_if_free(lock) as free:
        assert free
    holder = hold(spawn, lock)
    for _ in range(2):
        with locked_if_free(lock) as free:
            assert not free
    os.kill(holder, signal.SIGKILL)
    with locked(lock, "waiting for its end"):
        pass
    with locked_if_free(lock) as free:
        assert free


def test_what_was_free_is_held_against_everybody_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """This holds in the same process too, until the body ends."""
    lock = tmp_path / "lock"
    monkeypatch.setattr(locks, "_PATIENCE", 0.1)
    with locked_if_free(lock) as free, locked_if_free(lock) as free_again:
        assert (free, free_again) == (True, False)
        with pytest.raises(Busy), locked(lock, "starting blog"):
            pass
    with locked(lock, "starting blog"), locked_if_free(lock) as free:
        assert not free
    with locked(lock, "starting blog"):
        pass


def test_what_was_not_free_stays_its_holders(tmp_path: Path, spawn: Spawn) -> None:
    """A failed attempt does not affect the holder."""
    lock = tmp_path / "lock"
    hold(spawn, lock)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError), locked_if_free(lock):
            raise ZeroDivisionError
        with locked_if_free(lock) as free:
            assert not free


def test_an_error_inside_frees_what_was_free(tmp_path: Path, spawn: Spawn) -> None:
    lock = tmp_path / "lock"
    with pytest.raises(ZeroDivisionError), locked_if_free(lock):
        raise ZeroDivisionError
    hold(spawn, lock)


def test_where_no_lock_can_be_an_error_says_so(tmp_path: Path) -> None:
    (tmp_path / "run").touch()
    with pytest.raises(OSError, match="run"), locked_if_free(tmp_path / "run" / "lock"):
        pass


def test_no_other_user_can_take_a_lock(tmp_path: Path) -> None:
    """Who can read its file could hold it for ever; one of an earlier version is closed."""
    path = tmp_path / "lock"
    with locked(path, "trying"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o644)
    with locked_if_free(path) as is_free:
        assert is_free
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
