"""Reads single keys from a terminal, and restores the terminal afterwards."""

from __future__ import annotations

import os
import re
import select
import signal
import socket
import sys
import termios
import tty
from contextlib import ExitStack, suppress
from enum import StrEnum
from types import FrameType


class Key(StrEnum):
    """A key that is not a character."""

    UP = "up"
    DOWN = "down"
    PAGE_UP = "page up"
    PAGE_DOWN = "page down"
    HOME = "home"
    END = "end"
    ENTER = "enter"
    ESCAPE = "escape"
    SUSPEND = "suspend"
    HANGUP = "hangup"


_NAMES: dict[str, str] = {
    **dict.fromkeys(("\x1b[A", "\x1bOA"), Key.UP),
    **dict.fromkeys(("\x1b[B", "\x1bOB"), Key.DOWN),
    **dict.fromkeys(("\x1b[H", "\x1bOH", "\x1b[1~", "\x1b[7~"), Key.HOME),
    **dict.fromkeys(("\x1b[F", "\x1bOF", "\x1b[4~", "\x1b[8~"), Key.END),
    **dict.fromkeys(("\r", "\n"), Key.ENTER),
    "\x1b[5~": Key.PAGE_UP,
    "\x1b[6~": Key.PAGE_DOWN,
    "\x1b": Key.ESCAPE,
}
_ONE = re.compile(r"\x1b(?:\[[0-9;?]*[@-~]|O[@-~])|.", re.DOTALL)
_UNFINISHED = re.compile(r"\x1b(?:\[[0-9;?]*|O)?\Z")
# Over a slow line, the pieces of one key arrive within this many seconds.
_PIECES = 0.05
_CHUNK = 1024


def split(typed: str) -> list[str]:
    """The keys in a terminal's input: characters, members of `Key`, unknown sequences."""
    return [_NAMES.get(found, found) for found in _ONE.findall(typed)]


class Keys:
    """Reads a terminal key by key inside a `with` block, in the main thread.

    The terminal is restored at the end, also after Ctrl-C or SIGTERM. Ctrl-Z is the key `SUSPEND`,
    after which the caller calls `suspend`; a closed terminal sends `HANGUP`.
    """

    def __init__(self, terminal: int) -> None:
        self._terminal = terminal
        self._suspended = False
        self._ending = ExitStack()

    def __enter__(self) -> Keys:
        with ExitStack() as undo:
            self._bell, self._ear = socket.socketpair()
            for end in (self._bell, self._ear):
                undo.callback(end.close)
                end.setblocking(False)
            self._before = termios.tcgetattr(self._terminal)
            undo.callback(self._give_back)
            for number, handler in (
                (signal.SIGWINCH, _ignore),
                (signal.SIGTSTP, self._note_suspension),
                (signal.SIGTERM, _end),
            ):
                undo.callback(signal.signal, number, signal.signal(number, handler))
            # Any signal ends the wait.
            bell = signal.set_wakeup_fd(self._bell.fileno(), warn_on_full_buffer=False)
            undo.callback(signal.set_wakeup_fd, bell)
            tty.setcbreak(self._terminal)
            self._ending = undo.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.close()

    def wait(self, seconds: float) -> list[str]:
        """The keys typed; none after `wake`, a window change or the timeout."""
        ear = self._ear.fileno()
        ready, _, _ = select.select([self._terminal, ear], [], [], seconds)
        if ear in ready:
            with suppress(BlockingIOError):
                self._ear.recv(_CHUNK)
        if self._suspended:
            self._suspended = False
            return [Key.SUSPEND]
        return self._read() if self._terminal in ready else []

    def wake(self) -> None:
        """End the current or next wait; callable from any thread, also after closing."""
        with suppress(OSError):
            self._bell.send(b"!")

    def suspend(self) -> None:
        """Restore the terminal and stop this process, as Ctrl-Z does, until it is resumed."""
        self._give_back()
        handler = signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        signal.raise_signal(signal.SIGTSTP)
        signal.signal(signal.SIGTSTP, handler)
        tty.setcbreak(self._terminal)

    def _read(self) -> list[str]:
        try:
            typed = self._piece()
            while _UNFINISHED.search(typed) and self._more():
                typed += self._piece()
        except OSError:
            typed = ""
        return split(typed) or [Key.HANGUP]

    def _piece(self) -> str:
        return os.read(self._terminal, _CHUNK).decode(errors="replace")

    def _more(self) -> bool:
        ready, _, _ = select.select([self._terminal], [], [], _PIECES)
        return bool(ready)

    def _give_back(self) -> None:
        with suppress(termios.error):
            termios.tcsetattr(self._terminal, termios.TCSAFLUSH, self._before)

    def _note_suspension(self, number: int, frame: FrameType | None) -> None:
        self._suspended = True


def _ignore(number: int, frame: FrameType | None) -> None:
    pass


def _end(number: int, frame: FrameType | None) -> None:
    sys.exit(128 + number)
