"""Facts about processes: what the kernel knows of one, who belongs together, who has ended."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterable, Sequence
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

# Set by emperor.ini for everything below the Emperor.
_MARK = "BACKSTAGE_VENUE"
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class ProcessFacts:
    """What the kernel knows of a process.

    `halted` by a signal; `began` in seconds of `boot_clock`, good to a tick (10 ms); `memory` is
    what it has in memory, shared pages included, in bytes; `cpu` the processor time it has used, in
    seconds.
    """

    alive: bool
    halted: bool
    began: float
    memory: int
    cpu: float


def alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    known = facts(pid)
    return known is not None and known.alive


def facts(pid: int) -> ProcessFacts | None:
    """What the kernel says of a process; None where there is none.

    Read from /proc directly: it is asked for hundreds of processes at a time, and psutil's creation
    times hang on a boot time in whole seconds.
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
    # proc(5): the fields are counted behind the program's name, which may hold anything.
    fields = line[line.rindex(b")") + 2 :].split()
    return ProcessFacts(
        alive=fields[0] not in {b"Z", b"X"},
        halted=fields[0] in {b"T", b"t"},
        began=int(fields[19]) / _TICKS,
        memory=int(fields[21]) * _PAGE,
        cpu=(int(fields[11]) + int(fields[12])) / _TICKS,
    )


def family(pid: int) -> list[Process]:
    """A process with all its descendants; empty where it is gone."""
    try:
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def of_venue(session: int, top: Path) -> list[Process]:
    """The processes that the Emperor which led a session has brought into the Venue at `top`.

    Those are the members of the session, where their program or working directory lies in the
    Venue, and what carries its mark in the environment, such as daemons in sessions of their own.
    """
    return [
        process
        for process in psutil.process_iter()
        if _is_marked(process, top) or (_session(process) == session and _lies_within(process, top))
    ]


def boot_clock() -> float:
    """Seconds since the system booted: the clock by which the kernel notes when processes begin."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def started_after(pid: int, moment: float) -> bool:
    """Whether a process began after `moment` of `boot_clock`, give or take a tick (10 ms)."""
    known = facts(pid)
    return known is not None and known.began >= moment - 0.01


def wake_lone_master(family: Sequence[Process]) -> None:
    """Wake a dying uWSGI master, the first of `family`, whose other processes have all ended.

    It sleeps for whole seconds between looks at them; a SIGTERM then only ends that sleep.
    """
    if running(family) == [family[0]]:
        with suppress(psutil.NoSuchProcess):
            family[0].send_signal(signal.SIGTERM)


def describe(pid: int) -> str:
    """A process in words for an error message: `nginx (pid 812)`."""
    try:
        return f"{psutil.Process(pid).name()} (pid {pid})"
    except psutil.Error:
        return f"pid {pid}"


def running(processes: Iterable[Process]) -> list[Process]:
    """Those that have not ended; a pid that was given to another process counts as ended."""
    return [process for process in processes if process.is_running() and alive(process.pid)]


def kill_remaining(processes: Iterable[Process], deadline: Deadline) -> list[Process]:
    """Kill what is left of `processes`; returns those still there at the deadline."""
    left = running(processes)
    for process in left:
        try:
            process.send_signal(signal.SIGKILL)
        except psutil.NoSuchProcess:
            continue
    until(lambda: not running(left), deadline)
    return running(left)


def belongs_to(pid: int, top: Path) -> bool:
    """Whether a process is the Venue's at `top`, by its mark, its program or its directory."""
    try:
        process = psutil.Process(pid)
    except psutil.NoSuchProcess:
        return False
    return _is_marked(process, top) or _lies_within(process, top)


def watch_end(pid: int) -> int | None:
    """A file descriptor that becomes readable when the process ends; None where it has ended.

    Raises OSError where no more files can be opened.
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
