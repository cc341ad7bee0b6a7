"""The three standard streams of this process, which its caller may have closed."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


def open_closed() -> None:
    """Open the null device in the place of each stream that is closed.

    Otherwise the next file that is opened would take its place, and be written to as if it was it.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    sys.stdin = sys.stdin or open(0)  # noqa: SIM115 - as long as the process
    sys.stdout = sys.stdout or open(1, "w")  # noqa: SIM115
    sys.stderr = sys.stderr or open(2, "w")  # noqa: SIM115


@contextmanager
def output_to_terminal() -> Iterator[None]:
    """What programs print in the body goes to the terminal, or else to standard error."""
    sys.stdout.flush()
    ours, terminal = os.dup(1), _terminal()
    try:
        os.dup2(terminal, 1)
        yield
    finally:
        os.dup2(ours, 1)
        os.close(ours)
        os.close(terminal)


def _terminal() -> int:
    try:
        return os.open("/dev/tty", os.O_WRONLY)
    except OSError:
        return os.dup(2)
