"""Watching where the kernel does not help, for long, and after what the kernel itself has done."""

from __future__ import annotations

import logging
import os
import resource
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from backstage.act import Act
from backstage.facts.states import State
from backstage.shortcuts import new_act
from backstage.venue import Venue

from .listening import RELOAD, START, STOP, Listener

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def act(venue: Venue) -> Iterator[Act]:
    act = new_act(venue, "longtimer")
    yield act
    act.retire()


def test_without_inotify_it_polls_and_says_so_once(
    venue: Venue, act: Act, no_inotify: None, caplog: pytest.LogCaptureFixture
) -> None:
    act.start()
    with caplog.at_level(logging.WARNING, "backstage"), venue.events() as stream:
        listener = Listener(act, stream)
        act.stop()
        listener.sees(*STOP)
        act.start()
        listener.sees(*START)
        act.paths.vassal.touch()
        listener.sees(*RELOAD)
        pid = psutil.Process(act.pid).children()[0].pid
        os.kill(pid, signal.SIGKILL)
        assert f"(pid {pid})" in listener.sees(*START)[0].reason
    (record,) = caplog.records
    assert "inotify" in record.getMessage()


def test_lost_notices_do_no_harm(venue: Venue, act: Act, caplog: pytest.LogCaptureFixture) -> None:
    """More than the kernel queues, while the watcher has no time to read them.

    What lasts is told; it may be over before it is looked at that the Act starts.
    """
    act.start()
    script = textwrap.dedent(
        """
        import os, sys
        from pathlib import Path
        top = Path(sys.argv[1])
        for number in range(40_000):
            path = top / "vassals" / "noise"
            path.touch()
            path.unlink()
        """
    )
    with venue.events() as stream:
        listener = Listener(act, stream)
        subprocess.run([sys.executable, "-c", script, str(venue.path)], check=True)
        act.stop()
        listener.until(State.STOPPED)
        act.start()
        listener.until(State.RUNNING)


def test_few_file_descriptors_are_enough(venue: Venue, act: Act) -> None:
    """Where the end of a process cannot be watched for, it is looked for."""
    act.start()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with venue.events() as stream:
        listener = Listener(act, stream)
        used = max(int(name) for name in os.listdir("/proc/self/fd"))
        resource.setrlimit(resource.RLIMIT_NOFILE, (used + 8, hard))
        try:
            act.stop()
            listener.sees(*STOP)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        act.start()
        listener.sees(*START)


@pytest.fixture
def small_memory() -> Iterator[Path]:
    """A control group of 64 MB, where this machine lets us make one (version 1, as root)."""
    group = Path("/sys/fs/cgroup/memory/backstage-test")
    try:
        group.mkdir()
        (group / "memory.limit_in_bytes").write_text(str(64 * 2**20))
    except OSError as error:
        pytest.skip(f"no memory control group can be made here: {error}")
    yield group
    group.rmdir()


def test_out_of_memory_is_told(venue: Venue, small_memory: Path) -> None:
    act = new_act(venue, "hungry")
    wsgi = act.paths.top / act.name / "wsgi.py"
    wsgi.write_text(
        "def application(environ, start):\n"
        "    if environ['PATH_INFO'] == '/eat': kept = bytearray(200 * 2**20)\n"
        "    start('200 OK', []); return [b'ok']\n"
    )
    act.restart()
    pid = psutil.Process(act.pid).children()[0].pid
    (small_memory / "cgroup.procs").write_text(str(pid))
    with venue.events() as stream:
        listener = Listener(act, stream)
        subprocess.run(["curl", "-s", "-m", "5", f"{act.url}eat"], check=False)
        told = listener.sees(*START)
        assert told[0].reason == f"worker 1 (pid {pid}) was killed by signal 9 (out of memory)"
    act.retire()
