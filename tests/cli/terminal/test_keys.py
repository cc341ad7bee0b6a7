"""Reading keys from a terminal, which is always restored."""

from __future__ import annotations

import os
import pty
import select
import signal
import termios
import threading
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from backstage.cli.terminal import keys
from backstage.cli.terminal.keys import Key, Keys, split

# Never waited for so long.
LONG = 30.0
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGTSTP, signal.SIGWINCH)


@dataclass
class Terminal:
    """Both ends of a terminal: text written to the first is typed at the second."""

    hand: int
    end: int

    def type(self, typed: str) -> None:
        os.write(self.hand, typed.encode())

    @property
    def state(self) -> tuple[object, ...]:
        """Its settings and the signal handlers: everything that must be restored."""
        return (termios.tcgetattr(self.end), *map(signal.getsignal, SIGNALS))

    @property
    def is_raw(self) -> bool:
        """Whether keys are neither echoed nor buffered until the end of a line."""
        local = termios.tcgetattr(self.end)[3]
        assert isinstance(local, int)
        return not local & (termios.ECHO | termios.ICANON)


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    terminal = Terminal(*pty.openpty())
    before = terminal.state
    yield terminal
    assert terminal.state == before
    assert signal.set_wakeup_fd(-1) == -1
    os.close(terminal.hand)
    os.close(terminal.end)


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("jkR", ["j", "k", "R"]),
        ("\x1b[A\x1b[B", [Key.UP, Key.DOWN]),
        ("\x1bOA\x1bOB", [Key.UP, Key.DOWN]),
        ("\x1b[5~\x1b[6~", [Key.PAGE_UP, Key.PAGE_DOWN]),
        ("\x1b[H\x1b[1~\x1b[F\x1b[4~", [Key.HOME, Key.HOME, Key.END, Key.END]),
        ("\r\n", [Key.ENTER, Key.ENTER]),
        ("\x1b", [Key.ESCAPE]),
        ("\x1b\x1b[A", [Key.ESCAPE, Key.UP]),
        # Keys that nobody asked for are one each: nothing of them is taken for a letter.
        ("\x1b[1;5CR", ["\x1b[1;5C", "R"]),
        ("\x1b[17~", ["\x1b[17~"]),
        ("é✓", ["é", "✓"]),
        ("", []),
    ],
)
def test_what_is_typed_is_told_key_by_key(typed: str, found: list[str]) -> None:
    assert split(typed) == found


def test_keys_come_at_once_and_unseen(terminal: Terminal) -> None:
    with Keys(terminal.end) as typed:
        assert terminal.is_raw
        terminal.type("j\x1b[A")
        assert typed.wait(LONG) == ["j", Key.UP]
        assert typed.wait(0) == []
    os.set_blocking(terminal.hand, False)
    with pytest.raises(BlockingIOError):
        os.read(terminal.hand, 1)


def test_a_key_that_comes_in_pieces_is_one(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys, "_PIECES", LONG)
    with Keys(terminal.end) as typed:
        terminal.type("\x1b")
        later = threading.Timer(0.1, terminal.type, ["[5"])
        last = threading.Timer(0.2, terminal.type, ["~"])
        later.start()
        last.start()
        assert typed.wait(LONG) == [Key.PAGE_UP]


def test_escape_alone_is_a_key(terminal: Terminal) -> None:
    with Keys(terminal.end) as typed:
        terminal.type("\x1b")
        assert typed.wait(LONG) == [Key.ESCAPE]


def test_other_threads_end_the_wait_also_when_it_is_over(terminal: Terminal) -> None:
    with Keys(terminal.end) as typed:
        waker = threading.Timer(0.1, typed.wake)
        waker.start()
        assert typed.wait(LONG) == []
        for _ in range(100_000):
            typed.wake()
        terminal.type("q")
        assert typed.wait(LONG) == ["q"]
    typed.wake()


def test_a_window_that_changes_ends_the_wait(terminal: Terminal) -> None:
    with Keys(terminal.end) as typed:
        signal.raise_signal(signal.SIGWINCH)
        assert typed.wait(LONG) == []


def test_ctrl_z_is_a_key(terminal: Terminal) -> None:
    with Keys(terminal.end) as typed:
        signal.raise_signal(signal.SIGTSTP)
        assert typed.wait(LONG) == [Key.SUSPEND]


def test_a_terminal_that_has_gone_is_told_of() -> None:
    hand, end = pty.openpty()
    with Keys(end) as typed:
        os.close(hand)
        assert typed.wait(LONG) == [Key.HANGUP]
    os.close(end)


@pytest.mark.parametrize(
    ("number", "error"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SystemExit)]
)
def test_signals_end_it_with_the_terminal_as_it_was(
    terminal: Terminal, number: signal.Signals, error: type[BaseException]
) -> None:
    before = terminal.state
    with pytest.raises(error), Keys(terminal.end):
        signal.raise_signal(number)
    assert terminal.state == before


def test_what_was_typed_and_not_read_is_not_left_for_the_shell(terminal: Terminal) -> None:
    with Keys(terminal.end):
        terminal.type("rm -rf\n")
        assert select.select([terminal.end], [], [], LONG)[0]
    os.set_blocking(terminal.end, False)
    with pytest.raises(BlockingIOError):
        os.read(terminal.end, 1)


def test_what_is_no_terminal_is_left_alone() -> None:
    ours, _ = pipe = os.pipe()
    before = [signal.getsignal(number) for number in SIGNALS]
    with pytest.raises(termios.error), Keys(ours):
        pass
    assert [signal.getsignal(number) for number in SIGNALS] == before
    for end in pipe:
        os.close(end)
