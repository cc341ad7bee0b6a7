"""Facts about processes: their state, which of them belong together, which have ended."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from . import lazy
from .deadlines import Deadline, until

if TYPE_CHECKING:
    import psutil
    from psutil import Process as Process
else:
    psutil = lazy.module("psutil")

# The variable that emperor.ini sets for every process below the Emperor.
_MARK = "BACKSTAGE_VENUE"
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class ProcessFacts:
    """The kernel's facts about a process.

    `halted` means suspended by a signal. `began` is in seconds of `boot_clock`, to within a tick
    (10 ms). `cpu` is the CPU time that it has used, in seconds. `parent` is the pid of its parent.
    """

    alive: bool
    halted: bool
    began: float
    cpu: float
    parent: int = 0


def alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    known = facts(pid)
    return known is not None and known.alive


def catches(pid: int, number: signal.Signals) -> bool:
    """Whether a process has a handler of its own for a signal; False if there is none."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
    caught = re.search(r"^SigCgt:\s*([0-9a-f]+)$", status, re.MULTILINE)
    return bool(caught and int(caught[1], 16) >> (number - 1) & 1)


def facts(pid: int) -> ProcessFacts | None:
    """The kernel's facts about a process; None if there is none.

    Read from /proc directly, because callers need hundreds at a time, and because psutil derives
    creation times from a boot time in whole seconds.
    """
    try:
        descriptor = os.open(f"/proc/{pid}/stat", os.O_RDONLY)
    except OSError:
        return None
    try:
        line = os.read(descriptor, 4096)
    except ProcessLookupError:
        return None
    finally:
        os.close(descriptor)
    # proc(5): count the fields after the program's name, which may contain any character.
    fields = line[line.rindex(b")") + 2 :].split()
    return ProcessFacts(
        alive=fields[0] not in {b"Z", b"X"},
        halted=fields[0] in {b"T", b"t"},
        began=int(fields[19]) / _TICKS,
        cpu=(int(fields[11]) + int(fields[12])) / _TICKS,
        parent=int(fields[1]),
    )


def ancestry(pid: int) -> Iterator[int]:
    """A process, its parent and so on, up to the first process of the system."""
    known = facts(pid)
    while known and pid:
        yield pid
        pid = known.parent
        known = facts(pid)


def family(pid: int) -> list[Process]:
    """A process and all its descendants; empty if it is gone."""
    try:
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def families(pid: int) -> list[list[Process]]:
    """For each child of a process, the child and all its descendants."""
    try:
        children = psutil.Process(pid).children()
    except psutil.NoSuchProcess:
        return []
    return [found for child in children if (found := family(child.pid))]


def of_venue(session: int, top: Path) -> list[Process]:
    """The processes below the Emperor that led a session, in the Venue at `top`.

    These are the members of the session with their program or working directory in the Venue, and
    all processes with the Venue's mark in their environment, such as daemons in other sessions.
    """
    return [
        process
        for process in psutil.process_iter()
        if _is_marked(process, top) or (_session(process) == session and _lies_within(process, top))
    ]


def boot_clock() -> float:
    """Seconds since the system booted: the kernel's clock for start times of processes."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def started_after(pid: int, moment: float) -> bool:
    """Whether a process started after `moment` on `boot_clock`, to within a tick (10 ms)."""
    known = facts(pid)
    return known is not None and known.began >= moment - 0.01


def is_replaced(pid: int) -> bool:
    """Whether the file of a process's program has been replaced or removed since it started."""
    try:
        return str(Path(f"/proc/{pid}/exe").readlink()).endswith(" (deleted)")
    except OSError:
        return False


def completed(members: list[Process]) -> list[Process]:
    """A family, looked up again if its first process, which runs, had started no other yet."""
    lone = len(members) == 1 and running(members)
    return family(members[0].pid) or members if lone else members


def wake_lone_master(members: Sequence[Process]) -> None:
    """Wake a stopping uWSGI master, the first of a family, once all its other processes have ended.

    It checks them only every few seconds; a SIGTERM then does no more than end that sleep. One that
    has started no other yet must not get it: it may be a fork of the Emperor, which would tell all
    Acts to stop as the Emperor does, or a master that writes to its log, which would hang.
    """
    if len(members) > 1 and running(members) == [members[0]]:
        with suppress(psutil.NoSuchProcess):
            if not running(members[0].children()):
                members[0].send_signal(signal.SIGTERM)


def describe(pid: int) -> str:
    """A description of a process for an error message: `nginx (pid 812)`."""
    try:
        return f"{psutil.Process(pid).name()} (pid {pid})"
    except psutil.Error:
        return f"pid {pid}"


def running(processes: Iterable[Process]) -> list[Process]:
    """The processes that have not ended; one whose pid was reused counts as ended."""
    return [process for process in processes if process.is_running() and alive(process.pid)]


def kill_remaining(processes: Iterable[Process], deadline: Deadline) -> list[Process]:
    """Kill those of `processes` that still run; return the survivors at the deadline."""
    left = running(processes)
    for process in left:
        try:
            process.send_signal(signal.SIGKILL)
        except psutil.NoSuchProcess:
            continue
    until(lambda: not running(left), deadline)
    return running(left)


def kill_family(pid: int, patience: float = 5.0) -> list[Process]:
    """Kill a process and all its descendants; return the survivors, if any.

    It is halted first, so that it starts no others meanwhile.
    """
    deadline = Deadline(patience)
    first = family(pid)[:1]
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGSTOP)
    while descendants := running(family(pid)[1:]):
        if left := kill_remaining(descendants, deadline):
            return left
    return kill_remaining(first, deadline)


def belongs_to(pid: int, top: Path) -> bool:
    """Whether a process belongs to the Venue at `top`, by its mark, program or directory."""
    try:
        process = psutil.Process(pid)
    except psutil.NoSuchProcess:
        return False
    return _is_marked(process, top) or _lies_within(process, top)


def watch_end(pid: int) -> int | None:
    """A file descriptor that becomes readable when the process ends; None if it has ended.

    Raises OSError if no more files can be opened.
    """
    try:
        return os.pidfd_open(pid)
    except ProcessLookupError:
        return None


def _session(process: Process) -> int | None:
    try:
        return os.getsid(process.pid)
    except (ProcessLookupError, PermissionError):
        return None


def _is_marked(process: Process, top: Path) -> bool:
    try:
        return process.environ().get(_MARK) == str(top)
    except psutil.Error:
        return False


def _lies_within(process: Process, top: Path) -> bool:
    try:
        places = (process.exe(), process.cwd())
    except psutil.Error:
        return False
    return any(Path(place).is_relative_to(top) for place in places if place)
