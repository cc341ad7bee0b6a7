"""Run a program that may do anything, in a session of its own, and be rid of it afterwards."""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from . import programs
from .deadlines import Deadline

# The end of its output that is kept, in bytes.
_ENOUGH = 64 * 1024
# How often to see whether it has ended, in seconds, if another process holds its output open.
_PAUSE = 0.05
# Time for it to end the programs that it started, in seconds, before it is killed.
_ENDING = 2.0


@dataclass(frozen=True)
class Ending:
    """How the program ended: the end of its output, and its exit status, negative for a signal.

    The status is None if it did not end in time.
    """

    output: str
    status: int | None


def run_apart(
    command: Sequence[str | Path],
    given: Callable[[int], bytes],
    *,
    env: Mapping[str, str],
    uid: int | None,
    gains: bool,
    patience: float,
) -> Ending:
    """Run a program for at most `patience` seconds; with its pid, `given` returns its input.

    The options are those of `programs.start_apart`. It is expected to end what it has started when
    it is sent SIGTERM.
    """
    process = programs.start_apart(command, env=env, uid=uid, gains=gains)
    try:
        _send(process, given(process.pid))
        output, is_late = _read(process, Deadline(patience))
    finally:
        _end(process)
    return Ending(output, None if is_late else process.returncode)


def _send(process: programs.Apart, text: bytes) -> None:
    # It may have ended already.
    with suppress(BrokenPipeError):
        if process.stdin:
            with process.stdin:
                process.stdin.write(text)


def _read(process: programs.Apart, deadline: Deadline) -> tuple[str, bool]:
    """The end of its output, and whether it was still running at the deadline."""
    if process.stdout is None:
        return "", False
    stream, tail = process.stdout.fileno(), bytearray()
    waiting = select.poll()
    waiting.register(stream, select.POLLIN)
    has_ended = False
    while not deadline.expired:
        pause = 0.0 if has_ended else min(_PAUSE, deadline.remaining)
        if waiting.poll(pause * 1000):
            data = os.read(stream, _ENOUGH)
            if not data:
                return tail.decode(errors="replace"), False
            tail += data
            del tail[:-_ENOUGH]
        elif has_ended:
            return tail.decode(errors="replace"), False
        else:
            # What it wrote just before its end is still to be read.
            has_ended = process.poll() is not None
    return tail.decode(errors="replace"), process.poll() is None


def _end(process: programs.Apart) -> None:
    with process:
        try:
            if not _has_ended(process):
                process.terminate()
                process.wait(_ENDING)
        except programs.TookTooLong:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def _has_ended(process: programs.Apart) -> bool:
    """Whether it ends by itself now that it has closed its output."""
    with suppress(programs.TookTooLong):
        process.wait(_PAUSE)
    return process.returncode is not None
