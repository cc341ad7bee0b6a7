"""Processes of an Act that its master has left behind: they may hold its port."""

from __future__ import annotations

import os
from pathlib import Path

from ..layout.paths import ActPaths
from ..system import processes, sockets
from ..system.deadlines import Deadline, until
from .ini import Address

# How long the kernel may take to end a killed process, and to close its sockets, in seconds.
_ENDING = 1.0
_KILLING = 5.0


def free_port(act_paths: ActPaths, address: Address, emperor: int | None) -> None:
    """End the Act's orphans if its port is in use; wait for what is just ending.

    Call it while the Emperor, if any, has no vassal for the Act.
    """

    def is_free() -> bool:
        return not sockets.in_use(address.port, address.bound_host)

    if is_free():
        return
    # The port of a process that ends stays in use for a moment, while no process has it any more.
    until(lambda: is_free() or _is_held(address), Deadline(_ENDING))
    if is_free():
        return
    if left := _orphans(act_paths, emperor):
        processes.kill_remaining(left, Deadline(_KILLING))
        until(is_free, Deadline(_ENDING))


def _is_held(address: Address) -> bool:
    return sockets.listener(address.port) is not None


def _orphans(act_paths: ActPaths, emperor: int | None) -> list[processes.Process]:
    """Processes with the Venue's mark that are no longer below its Emperor, and are the Act's."""
    mine = set(processes.ancestry(os.getpid()))
    return [
        process
        for process in processes.marked(act_paths.venue.top)
        if process.pid not in mine
        and emperor not in set(processes.ancestry(process.pid))
        and _is_of(process.pid, act_paths)
    ]


def _is_of(pid: int, act_paths: ActPaths) -> bool:
    """Whether a process was called with the Act's file, or works in its directory."""
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0")
        place = Path(f"/proc/{pid}/cwd").readlink()
    except OSError:
        return False
    called = command.rsplit(b"\0", 1)[-1] == os.fsencode(act_paths.vassal.name)
    return called or place.is_relative_to(act_paths.top)
