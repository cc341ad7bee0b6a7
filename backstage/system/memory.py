"""The memory that families of processes use, measured at a price that hundreds can pay.

The kernel's exact measure, PSS, counts a page that n processes share as an n-th part in each. But
the kernel walks through all pages of a process for it: 46 µs per MB, which is 2 ms for one Django
worker. Reading how much of a process is shared with files takes 9 µs. What is left is its own
memory, and what it shares with processes that forked off each other. So PSS is read only where
forks may share much of a family's memory.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Collection, Mapping
from contextlib import suppress

from . import processes
from .deadlines import Deadline

_PAGE = os.sysconf("SC_PAGE_SIZE")
_PSS = re.compile(rb"^Pss:\s+(\d+) kB", re.MULTILINE)
# Forks may share more than this part of a family's memory: then PSS is read, …
_MUCH = 0.25
# … for so many seconds in one look at all families, and again after so many seconds.
_PATIENCE = 0.1
_KEEP = 10.0
# For each process: when PSS was read, in seconds of the monotonic clock, and the PSS in bytes.
_measured: dict[int, tuple[float, int]] = {}


def of_families(known: Mapping[int, Collection[int]]) -> dict[int, int]:
    """The memory of processes with all their descendants, in bytes.

    `known` maps each process to those of its children that are known, so that only other processes
    of the system are asked for their parents. Processes of other users count their own memory
    fully, unless root asks.
    """
    children = _children(known)
    patience = Deadline(_PATIENCE)
    return {pid: _of_family(_family(pid, children), patience) for pid in known}


def _children(known: Mapping[int, Collection[int]]) -> dict[int, list[int]]:
    children = {pid: list(those) for pid, those in known.items()}
    expected = {pid for those in known.values() for pid in those}.union(known)
    for name in os.listdir("/proc"):
        if name.isdigit() and (pid := int(name)) not in expected:
            facts = processes.facts(pid)
            if facts and facts.parent:
                children.setdefault(facts.parent, []).append(pid)
    return children


def _family(pid: int, children: Mapping[int, Collection[int]]) -> dict[int, int]:
    """A process and all its descendants, each with its parent."""
    parents, found = {pid: 0}, [pid]
    # The list grows during the iteration.
    for parent in found:
        new = [child for child in children.get(parent, ()) if child not in parents]
        parents.update(dict.fromkeys(new, parent))
        found += new
    return parents


def _of_family(parents: Mapping[int, int], patience: Deadline) -> int:
    own = {pid: _own(pid) for pid in parents}
    total = sum(own.values())
    may_share = sum(min(own[pid], own.get(parent, 0)) for pid, parent in parents.items())
    if may_share <= total * _MUCH:
        return total
    return sum(_pss(pid, patience) or own[pid] for pid in parents)


def _own(pid: int) -> int:
    """The resident memory of a process without the pages of files and shared memory, in bytes."""
    with suppress(OSError):
        descriptor = os.open(f"/proc/{pid}/statm", os.O_RDONLY)
        try:
            _, resident, shared, *_ = os.read(descriptor, 256).split()
        finally:
            os.close(descriptor)
        return (int(resident) - int(shared)) * _PAGE
    return 0


def _pss(pid: int, patience: Deadline) -> int:
    """The PSS of a process, a few seconds old at most; 0 if there is none or no time."""
    now = time.monotonic()
    at, known = _measured.get(pid, (0.0, 0))
    if known and now - at < _KEEP:
        return known
    if patience.expired:
        return 0
    with suppress(OSError), open(f"/proc/{pid}/smaps_rollup", "rb") as file:
        match = _PSS.search(file.read())
        if match:
            _forget(now)
            _measured[pid] = (now, int(match[1]) * 1024)
            return int(match[1]) * 1024
    return 0


def _forget(now: float) -> None:
    for pid in [pid for pid, (at, _) in _measured.items() if now - at >= _KEEP]:
        _measured.pop(pid, None)
