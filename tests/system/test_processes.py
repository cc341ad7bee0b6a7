"""Facts about real processes."""

from __future__ import annotations

import os
import resource
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from backstage.system import processes
from backstage.system.deadlines import Deadline, until
from tests.conftest import Spawn
from tests.patience import PATIENCE

# Lives until it is told to end, or until the test ends.
IDLE = "import sys; print('up', flush=True); sys.stdin.read()"
# Ends its child when it reads a line, and itself only when killed.
STUBBORN = """
import os, signal, subprocess, sys
child = subprocess.Popen(["sleep", "600"])
def told(number, frame):
    os.write(1, b"told\\n")  # a print may be under way
signal.signal(signal.SIGTERM, told)
print(child.pid, flush=True)
for line in sys.stdin:
    child.kill()
    child.wait()
    print("alone", flush=True)
"""


def eventually(condition: Callable[[], bool]) -> bool:
    return until(condition, Deadline(PATIENCE))


def line_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    return process.stdout.readline().strip()


@pytest.fixture
def idle(spawn: Spawn) -> subprocess.Popen[str]:
    process = spawn(sys.executable, "-c", IDLE)
    assert line_of(process) == "up"
    return process


def test_a_zombie_is_not_alive(idle: subprocess.Popen[str]) -> None:
    assert processes.alive(idle.pid)
    (process,) = processes.family(idle.pid)
    assert processes.running([process]) == [process]
    idle.kill()
    assert eventually(lambda: process.status() == psutil.STATUS_ZOMBIE)
    assert not processes.alive(idle.pid)
    assert processes.running([process]) == []
    idle.wait()
    assert not processes.alive(idle.pid)
    assert processes.running([process]) == []


def test_a_pid_that_another_process_got_counts_as_ended(idle: subprocess.Popen[str]) -> None:
    """A process is identified by its pid and its start time."""
    former = psutil.Process(idle.pid)
    former._ident = (idle.pid, 1.0)  # type: ignore[attr-defined]
    assert processes.running([former]) == []
    assert processes.running([psutil.Process(idle.pid)]) != []


def test_a_family_is_a_process_with_all_below_it(spawn: Spawn) -> None:
    """It includes grandchildren, with the parent first; for a process that is gone it is empty."""
    script = "sh -c 'sleep 600 & echo $!; wait' & echo $!; wait"
    head = spawn("/bin/sh", "-c", script)
    child, grandchild = sorted(int(line_of(head)) for _ in range(2))
    found = processes.family(head.pid)
    assert found[0].pid == head.pid
    assert {process.pid for process in found} == {head.pid, child, grandchild}
    assert [process.pid for process in processes.family(grandchild)] == [grandchild]
    os.killpg(head.pid, signal.SIGKILL)
    head.wait()
    assert processes.family(head.pid) == []


def test_members_of_a_session_are_those_that_lie_within(tmp_path: Path, spawn: Spawn) -> None:
    """Their program or directory is in the Venue; neighbours and other sessions do not count."""
    blog, neighbour = tmp_path / "blog", tmp_path / "blog2"
    (blog / "acts").mkdir(parents=True)
    neighbour.mkdir()
    places = [blog, blog / "acts", neighbour, tmp_path]
    script = "".join(f"cd '{place}'; sleep 600 & echo $!; " for place in places) + "cd /; wait"
    session = spawn("/bin/sh", "-c", script)
    pids = [int(line_of(session)) for _ in places]
    stranger = spawn(sys.executable, "-c", IDLE, cwd=blog)
    assert line_of(stranger) == "up"
    assert eventually(lambda: psutil.Process(session.pid).cwd() == "/")

    def members(top: Path) -> set[int]:
        return {process.pid for process in processes.of_venue(session.pid, top)}

    assert members(blog) == set(pids[:2])
    assert members(neighbour) == {pids[2]}
    assert members(tmp_path) == set(pids)
    program = Path(psutil.Process(pids[0]).exe())
    assert set(pids) <= members(program.parent)
    assert stranger.pid not in members(Path("/"))


def test_a_marked_process_belongs_to_its_venue_wherever_it_went(
    tmp_path: Path, spawn: Spawn
) -> None:
    """A daemon in another session keeps the mark of its Venue."""
    daemon = spawn(sys.executable, "-c", IDLE, env={"BACKSTAGE_VENUE": str(tmp_path)})
    assert line_of(daemon) == "up"
    assert [process.pid for process in processes.of_venue(-1, tmp_path)] == [daemon.pid]
    assert processes.of_venue(-1, tmp_path / "other") == []


def test_started_after(idle: subprocess.Popen[str], spawn: Spawn) -> None:
    moment = processes.boot_clock()
    assert eventually(lambda: processes.boot_clock() > moment + 0.05)
    newer = spawn(sys.executable, "-c", IDLE)
    assert line_of(newer) == "up"
    assert eventually(lambda: processes.boot_clock() > moment + 0.2)
    history = [
        (processes.started_after(process.pid, when))
        for process in (idle, newer)
        for when in (moment - 3600, moment + 0.02, processes.boot_clock())
    ]
    assert history == [True, False, False, True, True, False]
    newer.kill()
    newer.wait()
    assert not processes.started_after(newer.pid, moment)


def test_started_after_is_not_confused_by_a_programs_name(tmp_path: Path, spawn: Spawn) -> None:
    """The kernel writes the name, with spaces and brackets, between the numbers."""
    program = tmp_path / "x) S 1 2 3"
    program.symlink_to(Path(sys.executable).resolve())
    moment = processes.boot_clock()
    process = spawn(program, "-c", IDLE)
    assert line_of(process) == "up"
    assert f"({program.name})" in Path(f"/proc/{process.pid}/stat").read_text()
    assert processes.started_after(process.pid, moment)
    assert not processes.started_after(process.pid, moment + 3600)


def test_facts_of_a_living_process(spawn: Spawn) -> None:
    """They include its start time on the kernel's clock and its parent."""
    before = processes.boot_clock()
    process = spawn(sys.executable, "-c", IDLE)
    assert line_of(process) == "up"
    known = processes.facts(process.pid)
    assert known
    assert (known.alive, known.halted) == (True, False)
    assert before - 0.02 < known.began < processes.boot_clock() + 0.02
    assert known.parent == os.getpid()
    assert list(processes.ancestry(process.pid))[:2] == [process.pid, os.getpid()]


def test_facts_of_a_halted_process(idle: subprocess.Popen[str]) -> None:
    """It is alive, and halted until it is continued."""

    def halted() -> bool:
        known = processes.facts(idle.pid)
        assert known
        assert known.alive
        return known.halted

    os.kill(idle.pid, signal.SIGSTOP)
    assert eventually(halted)
    os.kill(idle.pid, signal.SIGCONT)
    assert eventually(lambda: not halted())


def test_facts_of_a_zombie_and_of_what_is_gone(idle: subprocess.Popen[str]) -> None:
    """A zombie is not alive; for a process that is gone there are no facts."""
    began = processes.facts(idle.pid)
    idle.kill()
    assert eventually(lambda: psutil.Process(idle.pid).status() == psutil.STATUS_ZOMBIE)
    known = processes.facts(idle.pid)
    assert known
    assert began
    assert (known.alive, known.halted) == (False, False)
    assert known.began == began.began
    idle.wait()
    assert processes.facts(idle.pid) is None


def test_facts_are_not_confused_by_a_programs_name(tmp_path: Path, spawn: Spawn) -> None:
    program = tmp_path / "x) T 1 2 3"
    program.symlink_to(Path(sys.executable).resolve())
    process = spawn(program, "-c", IDLE)
    assert line_of(process) == "up"
    known = processes.facts(process.pid)
    assert known
    assert (known.alive, known.halted) == (True, False)
    assert processes.boot_clock() - 3600 < known.began < processes.boot_clock() + 0.02


def test_facts_leave_no_file_open(idle: subprocess.Popen[str]) -> None:
    def files_open() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    before = files_open()
    for pid in [idle.pid, 2**22 + 1] * 50:
        processes.facts(pid)
    assert files_open() == before


def test_an_end_can_be_waited_for(idle: subprocess.Popen[str]) -> None:
    """The descriptor becomes readable, even before the process is waited for."""
    descriptor = processes.watch_end(idle.pid)
    assert descriptor is not None
    try:
        assert select.select([descriptor], [], [], 0)[0] == []
        idle.kill()
        assert select.select([descriptor], [], [], PATIENCE)[0] == [descriptor]
    finally:
        os.close(descriptor)


def test_the_end_of_what_is_gone_is_not_waited_for(idle: subprocess.Popen[str]) -> None:
    idle.kill()
    idle.wait()
    assert processes.watch_end(idle.pid) is None


def test_where_no_file_can_be_opened_an_end_cannot_be_waited_for(
    idle: subprocess.Popen[str],
) -> None:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, limits[1]))
    try:
        with pytest.raises(OSError, match="Too many open files"):
            processes.watch_end(idle.pid)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def test_a_process_belongs_where_its_directory_is(tmp_path: Path, spawn: Spawn) -> None:
    """Subdirectories count; a neighbour whose name has the same beginning does not."""
    blog, neighbour = tmp_path / "blog", tmp_path / "blog2"
    (blog / "acts").mkdir(parents=True)
    neighbour.mkdir()
    below, beside = (spawn("sleep", "600", cwd=place) for place in (blog / "acts", neighbour))
    assert processes.belongs_to(below.pid, blog)
    assert not processes.belongs_to(beside.pid, blog)
    assert processes.belongs_to(beside.pid, tmp_path)


def test_a_process_belongs_where_its_program_lies(tmp_path: Path, spawn: Spawn) -> None:
    program = shutil.copy("/bin/sleep", tmp_path)
    process = spawn(program, "600", cwd="/")
    assert eventually(lambda: psutil.Process(process.pid).exe() == program)
    assert processes.belongs_to(process.pid, tmp_path)
    assert not processes.belongs_to(process.pid, tmp_path / "bin")


def test_a_process_belongs_where_its_mark_says(tmp_path: Path, spawn: Spawn) -> None:
    process = spawn(sys.executable, "-c", IDLE, cwd="/", env={"BACKSTAGE_VENUE": str(tmp_path)})
    assert line_of(process) == "up"
    assert processes.belongs_to(process.pid, tmp_path)
    assert not processes.belongs_to(process.pid, tmp_path / "other")
    assert not processes.belongs_to(process.pid, tmp_path.parent / "other")


def test_what_has_ended_belongs_nowhere(tmp_path: Path, spawn: Spawn) -> None:
    """This holds for a zombie and after it is gone."""
    process = spawn("true", cwd=tmp_path)
    assert eventually(lambda: not processes.alive(process.pid))
    assert not processes.belongs_to(process.pid, tmp_path)
    process.wait()
    assert not processes.belongs_to(process.pid, tmp_path)


def test_a_process_is_described_by_name_and_pid(idle: subprocess.Popen[str]) -> None:
    assert processes.describe(idle.pid) == f"{psutil.Process(idle.pid).name()} (pid {idle.pid})"
    idle.kill()
    idle.wait()
    assert processes.describe(idle.pid) == f"pid {idle.pid}"


# Ending them


def test_insisting_ends_what_does_not_listen(spawn: Spawn) -> None:
    """No process is left; processes that ended before do not matter."""
    master = spawn(sys.executable, "-c", STUBBORN)
    child = int(line_of(master))
    everybody = processes.family(master.pid)
    assert {process.pid for process in everybody} == {master.pid, child}
    os.kill(master.pid, signal.SIGTERM)
    assert line_of(master) == "told"
    assert processes.kill_remaining(everybody, Deadline(PATIENCE)) == []
    assert not processes.alive(master.pid)
    assert not processes.alive(child)
    assert processes.kill_remaining(everybody, Deadline(0)) == []


def test_only_a_lonely_master_is_dismissed(spawn: Spawn) -> None:
    """While one of its workers lives, that worker may still finish a request."""
    master = spawn(sys.executable, "-c", STUBBORN)
    line_of(master)
    family = processes.family(master.pid)
    assert len(family) == 2
    processes.wake_lone_master(family)
    assert master.stdin
    master.stdin.write("end your child\n")
    master.stdin.flush()
    assert line_of(master) == "alone"
    processes.wake_lone_master(family)
    assert line_of(master) == "told"
    master.kill()
    master.wait()
    processes.wake_lone_master(family)


def test_a_master_without_workers_yet_is_not_dismissed(
    spawn: Spawn, idle: subprocess.Popen[str]
) -> None:
    """It may be a fork of the Emperor, in which the signal would end every Act."""
    master = spawn(sys.executable, "-c", STUBBORN)
    line_of(master)
    early, former = processes.family(master.pid)[:1], processes.family(idle.pid)
    idle.kill()
    idle.wait()
    processes.wake_lone_master(early)
    processes.wake_lone_master([*early, *former])
    family = processes.completed(early)
    assert family == processes.family(master.pid) != early
    assert processes.completed(family) is family
    assert master.stdin
    master.stdin.write("end your child\n")
    master.stdin.flush()
    assert line_of(master) == "alone"
    processes.wake_lone_master(early)
    processes.wake_lone_master(family)
    assert line_of(master) == "told"
