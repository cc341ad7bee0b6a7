"""Waiting for other threads, for real processes and for real sockets."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from backstage.system import processes
from backstage.system.deadlines import Deadline
from backstage.system.wakeups import Wakeups
from tests.conftest import Spawn
from tests.patience import PATIENCE

Pair = tuple[socket.socket, socket.socket]
Newcomers = Callable[[], list[Pair]]


@pytest.fixture
def wakeups() -> Iterator[Wakeups]:
    with closing(Wakeups()) as wakeups:
        yield wakeups


@pytest.fixture
def pair() -> Iterator[Pair]:
    near, far = socket.socketpair()
    with near, far:
        yield near, far


@pytest.fixture
def newcomers() -> Iterator[Newcomers]:
    """Opens files, which get the descriptor numbers of files closed before."""
    pairs: list[Pair] = []

    def arrive() -> list[Pair]:
        pairs.extend(socket.socketpair() for _ in range(4))
        return pairs

    yield arrive
    for each in sum(pairs, ()):
        # If somebody else closed one, the test must show it, not this cleanup.
        with suppress(OSError):
            each.close()


def files_open() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait(PATIENCE)


def test_without_an_alarm_it_waits_its_time(wakeups: Wakeups) -> None:
    assert wakeups.wait(0.0) == []
    assert wakeups.wait(0.01) == []


def test_a_call_ends_the_wait_that_is_under_way(wakeups: Wakeups) -> None:
    """The call comes from another thread, and the wait returns no names."""
    heard: list[list[tuple[str, int]]] = []
    waiting = threading.Thread(target=lambda: heard.append(wakeups.wait(600)))
    waiting.start()
    wakeups.wake()
    waiting.join(PATIENCE)
    assert heard == [[]]


def test_a_call_before_it_ends_the_next_wait(wakeups: Wakeups) -> None:
    """Several calls end one wait only."""
    for _ in range(2000):
        wakeups.wake()
    wakeups.wait(600)
    nap = Deadline(0.02)
    assert wakeups.wait(0.03) == []
    assert nap.expired
    wakeups.wake()
    wakeups.wait(600)


def test_nobody_is_held_up_by_wakeups_that_nobody_waits_for(wakeups: Wakeups) -> None:
    """Even a full pipe blocks no caller, and the wait still ends."""
    for _ in range(100_000):
        wakeups.wake()
    assert wakeups.wait(600) == []


def test_the_end_of_a_process_is_told_once(wakeups: Wakeups, spawn: Spawn) -> None:
    process = spawn("sleep", "600")
    wakeups.watch_end(process.pid, "blog")
    assert wakeups.wait(0.0) == []
    os.kill(process.pid, signal.SIGTERM)
    assert wakeups.wait(PATIENCE) == [("blog", process.pid)]
    assert wakeups.wait(0.0) == []


def test_a_process_that_is_watched_twice_is_told_once(wakeups: Wakeups, spawn: Spawn) -> None:
    """Every look at an Act adds the watch again."""
    process = spawn("sleep", "600")
    before = files_open()
    for _ in range(3):
        wakeups.watch_end(process.pid, "blog")
    assert files_open() == before + 1
    end(process)
    assert wakeups.wait(PATIENCE) == [("blog", process.pid)]
    assert wakeups.wait(0.0) == []


def test_several_processes_are_told_by_name(wakeups: Wakeups, spawn: Spawn) -> None:
    ending, staying = [spawn("sleep", "600") for _ in range(3)], spawn("sleep", "600")
    for number, process in enumerate([*ending, staying]):
        wakeups.watch_end(process.pid, f"act{number}")
    for process in ending:
        end(process)
    told = wakeups.wait(PATIENCE)
    assert sorted(told) == [(f"act{number}", each.pid) for number, each in enumerate(ending)]


def test_a_process_that_is_gone_already_is_not_watched(wakeups: Wakeups, spawn: Spawn) -> None:
    process = spawn("true")
    process.wait(PATIENCE)
    before = files_open()
    wakeups.watch_end(process.pid, "blog")
    assert files_open() == before
    assert wakeups.wait(0.0) == []


def test_where_no_more_files_can_be_opened_it_does_without(
    wakeups: Wakeups, spawn: Spawn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next call watches it."""
    process = spawn("sleep", "600")

    def refuse(pid: int) -> int | None:
        raise OSError(24, "Too many open files")

    with monkeypatch.context() as patch:
        patch.setattr(processes, "watch_end", refuse)
        wakeups.watch_end(process.pid, "blog")
    wakeups.watch_end(process.pid, "blog")
    end(process)
    assert wakeups.wait(PATIENCE) == [("blog", process.pid)]


def test_what_can_be_read_is_told_once(wakeups: Wakeups, pair: Pair) -> None:
    """It is reported again when it is watched again, if it is still readable."""
    near, far = pair
    wakeups.watch(near, "blog")
    assert wakeups.wait(0.0) == []
    far.send(b"x")
    assert wakeups.wait(PATIENCE) == [("blog", 0)]
    assert wakeups.wait(0.0) == []
    wakeups.watch(near, "blog")
    assert wakeups.wait(PATIENCE) == [("blog", 0)]


def test_what_is_not_watched_any_more_is_not_told(wakeups: Wakeups, pair: Pair) -> None:
    """It does not matter whether it was ever watched, or is closed."""
    near, far = pair
    wakeups.watch(near, "blog")
    wakeups.unwatch(near)
    far.send(b"x")
    assert wakeups.wait(0.0) == []
    wakeups.unwatch(near)
    near.close()
    wakeups.unwatch(near)


def test_a_ring_an_end_and_a_socket_are_heard_together(
    wakeups: Wakeups, spawn: Spawn, pair: Pair
) -> None:
    near, far = pair
    process = spawn("sleep", "600")
    wakeups.watch_end(process.pid, "shop")
    wakeups.watch(near, "blog")
    end(process)
    far.send(b"x")
    wakeups.wake()
    assert sorted(wakeups.wait(PATIENCE)) == [("blog", 0), ("shop", process.pid)]
    assert wakeups.wait(0.0) == []


def test_no_file_stays_open(spawn: Spawn) -> None:
    """This covers reported ends and, after closing, unreported ones."""
    ended, staying = spawn("true"), spawn("sleep", "600")
    before = files_open()
    with closing(Wakeups()) as wakeups:
        ready = files_open()
        for _ in range(2000):
            # Until it is waited for, its pid is not reused.
            wakeups.watch_end(ended.pid, "ended")
            wakeups.wake()
            while ("ended", ended.pid) not in wakeups.wait(PATIENCE):
                continue
        assert files_open() == ready
        wakeups.watch_end(staying.pid, "staying")
        assert files_open() == ready + 1
    assert files_open() == before


def test_a_ring_after_the_end_reaches_nobody_else(newcomers: Newcomers) -> None:
    """The caller who closes an observer does not know whether it has ended by itself."""
    wakeups = Wakeups()
    wakeups.close()
    pairs = newcomers()
    wakeups.wake()
    for each in sum(pairs, ()):
        each.setblocking(False)
        with pytest.raises(BlockingIOError):
            each.recv(1)


def test_closing_twice_closes_nothing_of_others(newcomers: Newcomers) -> None:
    wakeups = Wakeups()
    wakeups.close()
    pairs = newcomers()
    wakeups.close()
    for each in sum(pairs, ()):
        os.fstat(each.fileno())
