"""The memory of a family of processes: everything that it has started, and nothing twice."""

from __future__ import annotations

import os
import sys

import psutil
import pytest

from backstage.system import memory
from tests.conftest import Spawn

MB = 1_000_000
# Forks children that only wait, and have the memory in common.
FORKING = """\
import os, sys
block = os.urandom(40_000_000)
children = []
for _ in range(3):
    if (pid := os.fork()) == 0:
        os.read(0, 1)
        os._exit(0)
    children.append(pid)
print(*children, flush=True)
os.read(0, 1)
"""
# Starts a shell that starts a program: the memory is that of a grandchild.
NESTED = """\
import subprocess, sys
code = "import os; block = os.urandom(40_000_000); print(os.getpid(), flush=True); os.read(0, 1)"
subprocess.run(["sh", "-c", '"$0" -c "$1"; true', sys.executable, code])
"""


def resident(*pids: int) -> int:
    return sum(int(psutil.Process(pid).memory_info().rss) for pid in pids)


@pytest.mark.parametrize("few", [0, 16])
@pytest.mark.parametrize("told", [True, False])
def test_what_forks_share_is_counted_once(
    spawn: Spawn, monkeypatch: pytest.MonkeyPatch, told: bool, few: int
) -> None:
    """Whether its children are known or found."""
    monkeypatch.setattr(memory, "_FEW", few)
    process = spawn(sys.executable, "-c", FORKING)
    assert process.stdout
    children = [int(word) for word in process.stdout.readline().split()]
    used = memory.of_families({process.pid: children if told else []})[process.pid]
    assert 40 * MB < used < 80 * MB
    assert resident(process.pid, *children) > 160 * MB


def test_without_time_forks_are_counted_fully(
    spawn: Spawn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "_PATIENCE", 0.0)
    process = spawn(sys.executable, "-c", FORKING)
    assert process.stdout
    process.stdout.readline()
    assert memory.of_families({process.pid: []})[process.pid] > 160 * MB


@pytest.mark.parametrize("few", [0, 16])
def test_every_descendant_counts(spawn: Spawn, monkeypatch: pytest.MonkeyPatch, few: int) -> None:
    """Both ways of finding them find the same."""
    monkeypatch.setattr(memory, "_FEW", few)
    process = spawn(sys.executable, "-c", NESTED)
    assert process.stdout
    grandchild = int(process.stdout.readline())
    assert resident(process.pid) < 40 * MB
    assert 40 * MB < memory.of_families({process.pid: []})[process.pid] < 80 * MB
    assert psutil.Process(grandchild).ppid() != process.pid


def test_what_only_files_hold_is_not_counted() -> None:
    used = memory.of_families({os.getpid(): []})[os.getpid()]
    assert 0 < used < resident(os.getpid(), *(each.pid for each in psutil.Process().children()))


def test_a_process_that_is_gone_uses_nothing(spawn: Spawn) -> None:
    process = spawn(sys.executable, "-c", "pass")
    process.wait()
    assert memory.of_families({process.pid: [process.pid]}) == {process.pid: 0}
    assert memory.of_families({}) == {}
