"""A terminal of its own for a program of another user, between it and this process's terminal.

With this one's terminal, the program could type into it (TIOCSTI), and so have our user's shell run
what it likes.
"""

from __future__ import annotations

import os
import pty
import select
import signal
import sys
import termios
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

_MOST = 64 * 1024


def call(start: Callable[[int], Any]) -> int:
    """Start a program with the descriptor of its terminal; returns its status when it has ended.

    `start` returns it as a Popen.
    What is typed goes to it, control characters too, and what it prints comes back.
    """
    ours, its = pty.openpty()
    try:
        _copy_size(ours)
        process = start(its)
    except BaseException:
        os.close(ours)
        raise
    finally:
        os.close(its)
    try:
        with process, _raw(), _sized(ours):
            _relay(ours, process.pid)
    finally:
        os.close(ours)
    status: int = process.returncode
    return status


def _relay(ours: int, pid: int) -> None:
    """Copy in both directions until the program has ended, and what it printed is shown."""
    end = os.pidfd_open(pid)
    sources, typed = [ours, sys.stdin.fileno(), end], sys.stdin.fileno()
    try:
        while ready := select.select(sources, [], [], None if end in sources else 0)[0]:
            for source in ready:
                data = b"" if source == end else _read(source)
                if not data:
                    sources.remove(source)
                _write(sys.stdout.fileno() if source == ours else ours, data)
            if end not in sources and typed in sources:
                # What is typed from now on is for the shell.
                sources.remove(typed)
    finally:
        os.close(end)


def _read(source: int) -> bytes:
    """What there is; nothing at the end, also if nobody has the program's terminal open."""
    try:
        return os.read(source, _MOST)
    except OSError:
        return b""


def _write(goal: int, data: bytes) -> None:
    while data:
        data = data[os.write(goal, data) :]


@contextmanager
def _raw() -> Iterator[None]:
    """What is typed is passed on as it is, until the program has ended."""
    terminal = sys.stdin.fileno()
    before = termios.tcgetattr(terminal)
    tty.setraw(terminal)
    try:
        yield
    finally:
        termios.tcsetattr(terminal, termios.TCSAFLUSH, before)


@contextmanager
def _sized(ours: int) -> Iterator[None]:
    """The program's terminal always has the size of this one."""
    before = signal.signal(signal.SIGWINCH, lambda *_: _copy_size(ours))
    try:
        yield
    finally:
        signal.signal(signal.SIGWINCH, before)


def _copy_size(ours: int) -> None:
    with suppress(termios.error):
        termios.tcsetwinsize(ours, termios.tcgetwinsize(sys.stdin.fileno()))
