"""The keys that somebody types in a terminal, one by one, and the terminal as it was before."""

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
    """What is not a character that was typed."""

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
# What a key sends in several pieces, over a slow line, comes within so many seconds.
_PIECES = 0.05
_CHUNK = 1024


def split(typed: str) -> list[str]:
    """The keys in what a terminal has sent: characters, members of `Key`, sequences unknown."""
    return [_NAMES.get(found, found) for found in _ONE.findall(typed)]


class Keys:
    """Reads a terminal key by key while it is open, in the main thread.

    However it is left, also by Ctrl-C or SIGTERM, the terminal is then as it was. Ctrl-Z is the key
    `SUSPEND`, to be followed by a call of `suspend`; a terminal that has gone sends `HANGUP`.
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
            # Whatever arrives ends the wait.
            bell = signal.set_wakeup_fd(self._bell.fileno(), warn_on_full_buffer=False)
            undo.callback(signal.set_wakeup_fd, bell)
            tty.setcbreak(self._terminal)
            self._ending = undo.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.close()

    def wait(self, seconds: float) -> list[str]:
        """The keys that were typed meanwhile; none if woken, if the window changed, or too late."""
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
        """End the present or the next wait; may be called from any thread, also afterwards."""
        with suppress(OSError):
            self._bell.send(b"!")

    def suspend(self) -> None:
        """Stop this process, as Ctrl-Z does, with the terminal as it was, until it goes on."""
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
