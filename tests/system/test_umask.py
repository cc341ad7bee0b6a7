"""The modes of what is created do not come from the caller."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from backstage.system import umask


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    former = os.umask(0o022)
    yield
    os.umask(former)


def present() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


@pytest.mark.parametrize(("callers", "inside"), [(0, 0o022), (0o002, 0o022), (0o077, 0o077)])
def test_nobody_else_can_write_what_is_created(tmp_path: Path, callers: int, inside: int) -> None:
    os.umask(callers)
    with umask.closed():
        (tmp_path / "new").mkdir()
        assert present() == inside
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o777 & ~inside
    assert present() == callers


def test_it_holds_until_the_last_of_several_threads_is_done() -> None:
    os.umask(0)
    entered, leave = threading.Event(), threading.Event()

    def other() -> None:
        with umask.closed():
            entered.set()
            leave.wait()

    thread = threading.Thread(target=other)
    with umask.closed():
        thread.start()
        entered.wait()
    assert present() == 0o022
    leave.set()
    thread.join()
    assert present() == 0
