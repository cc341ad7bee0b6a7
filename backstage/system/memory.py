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
# For more families than this, all processes of the system are looked at.
_FEW = 16
# If forks may share more than this part of a family's memory, and more bytes, PSS is read, …
_MUCH, _WORTHWHILE = 0.25, 16_000_000
# … for so many seconds in one look at all families, and again after so many seconds.
_PATIENCE = 0.1
_KEEP = 10.0
# A memo longer than this has many processes that are gone.
_LONG = 10_000
# For each process a number, and when it was read, in seconds of the monotonic clock.
_Memo = dict[int, tuple[float, int]]
_measured: _Memo = {}
_parents: _Memo = {}


def of_families(known: Mapping[int, Collection[int]]) -> dict[int, int]:
    """The memory of processes with all their descendants, in bytes.

    `known` maps each process to those of its children that are known, which saves finding them.
    Processes of other users count their own memory fully, unless root asks.
    """
    children = _Asked(known) if len(known) <= _FEW else _Found(known)
    patience = Deadline(_PATIENCE)
    return {pid: _of_family(_family(pid, children), patience) for pid in known}


class _Asked:
    """The children of processes, asked for one by one: quicker for a few."""

    def __init__(self, known: Mapping[int, Collection[int]]) -> None:
        self._known = known

    def of(self, pid: int) -> set[int]:
        children = set(self._known.get(pid, ()))
        # Each thread has its own children.
        with suppress(OSError):
            for thread in os.listdir(f"/proc/{pid}/task"):
                with suppress(OSError), open(f"/proc/{pid}/task/{thread}/children", "rb") as file:
                    children.update(map(int, file.read().split()))
        return children


class _Found:
    """The children of processes, found among all processes of the system: quicker for many.

    A process is asked for its parent once in a while.
    """

    def __init__(self, known: Mapping[int, Collection[int]]) -> None:
        self._children = {pid: list(those) for pid, those in known.items()}
        expected = {pid for those in known.values() for pid in those}.union(known)
        running = {int(name) for name in os.listdir("/proc") if name.isdigit()}
        for pid in running - expected:
            if parent := _parent(pid):
                self._children.setdefault(parent, []).append(pid)

    def of(self, pid: int) -> Collection[int]:
        return self._children.get(pid, ())


def _parent(pid: int) -> int:
    now = time.monotonic()
    at, known = _parents.get(pid, (0.0, 0))
    if at and now - at < _KEEP:
        return known
    facts = processes.facts(pid)
    _remember(_parents, pid, now, facts.parent if facts else 0)
    return facts.parent if facts else 0


def _family(pid: int, children: _Asked | _Found) -> dict[int, int]:
    """A process and all its descendants, each with its parent."""
    parents, found = {pid: 0}, [pid]
    # The list grows during the iteration.
    for parent in found:
        new = [child for child in children.of(parent) if child not in parents]
        parents.update(dict.fromkeys(new, parent))
        found += new
    return parents


def _of_family(parents: Mapping[int, int], patience: Deadline) -> int:
    own = {pid: _own(pid) for pid in parents}
    total = sum(own.values())
    may_share = sum(min(own[pid], own.get(parent, 0)) for pid, parent in parents.items())
    if may_share <= max(total * _MUCH, _WORTHWHILE):
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
            _remember(_measured, pid, now, int(match[1]) * 1024)
            return int(match[1]) * 1024
    return 0


def _remember(memo: _Memo, pid: int, now: float, value: int) -> None:
    if len(memo) > _LONG:
        memo.clear()
    memo[pid] = (now, value)
