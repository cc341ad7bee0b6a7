"""The kernel's log: the processes that it killed when memory ran out."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from backstage.system.kernel_log import killed_for_memory

MEMORY = "Killed process 812 (uwsgi) total-vm:444604kB, anon-rss:186040kB, oom_score_adj:0\n"


@pytest.fixture
def device(tmp_path: Path) -> Iterator[Path]:
    """A file with content but no end, like the kernel's log."""
    path = tmp_path / "kmsg"
    os.mkfifo(path)
    descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    os.write(descriptor, f"3,427,132;Memory cgroup out of memory: {MEMORY}".encode())
    yield path
    os.close(descriptor)


def test_the_kernels_log_is_read_as_far_as_it_goes(device: Path) -> None:
    assert killed_for_memory(device) == {812}


def test_a_record_that_is_overwritten_while_it_is_read_is_passed_over(
    device: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, losses = os.read, iter([BrokenPipeError()])

    def lossy(descriptor: int, length: int) -> bytes:
        for loss in losses:
            raise loss
        return read(descriptor, length)

    monkeypatch.setattr(os, "read", lossy)
    assert killed_for_memory(device) == {812}


@pytest.mark.parametrize("words", ["Out of memory: ", "Memory cgroup out of memory: ", ""])
def test_the_kernel_has_several_words_for_it(tmp_path: Path, words: str) -> None:
    (tmp_path / "kmsg").write_text(f"6,1,2,-;Spectre V2\n3,427,132,-;{words}{MEMORY}")
    assert killed_for_memory(tmp_path / "kmsg") == {812}


def test_a_kernel_that_tells_nothing_killed_nobody(tmp_path: Path) -> None:
    assert killed_for_memory(tmp_path / "none") == set()
