"""Output of the commands, adapted to what the terminal can show."""

from __future__ import annotations

import io
import os
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cached_property
from typing import TYPE_CHECKING, TextIO

import click

from ...facts.invisible import visible
from ...facts.states import State

if TYPE_CHECKING:
    from rich.console import Console, Group, RenderableType
    from rich.live import Live

# Pieces of text, each with a rich style: `bold red`, `dim`, or '' for none.
Line = Sequence[tuple[str, str]]

# How each state looks: a sign, its ASCII replacement, and a rich style.
_LOOKS = {
    State.RUNNING: ("●", "*", "green"),
    State.SLEEPING: ("●", "*", "cyan"),
    State.STARTING: ("◐", "~", "yellow"),
    State.RELOADING: ("◐", "~", "yellow"),
    State.WAITING: ("◐", "~", "yellow"),
    State.STOPPING: ("◐", "~", "magenta"),
    State.STOPPED: ("○", "-", "dim"),
    State.UNHEALTHY: ("●", "!", "bold red"),
    State.FAILING: ("✗", "x", "bold red"),
}
# Replacements for non-ASCII signs in our texts, for ASCII terminals.
_ASCII = str.maketrans(
    {"→": "->", "…": "...", "●": "*", "◐": "~", "○": "-", "✓": "+", "✗": "x", "·": "."}
)
# Colours and weights, which cannot change what is read.
_PAINT = re.compile(r"(\x1b\[[0-9;]*m)")
# What a rich style may contain besides a colour.
_WEIGHTS = frozenset({"bold", "dim", "underline", "reverse"})
# Without a terminal, nothing is cut to a width.
_UNSEEN_WIDTH = 10_000


class Screen:
    """Standard output and standard error, with or without colour, UTF-8 or ASCII."""

    def __init__(self, out: TextIO | None = None, err: TextIO | None = None) -> None:
        self.out = out or sys.stdout
        self.err = err or sys.stderr
        self._live: Live | None = None
        for stream in (self.out, self.err):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="replace")

    @property
    def is_terminal(self) -> bool:
        """Whether output goes to a terminal that can redraw."""
        return self.out.isatty() and os.environ.get("TERM") != "dumb"

    @property
    def has_colour(self) -> bool:
        return self.is_terminal and not os.environ.get("NO_COLOR")

    @cached_property
    def has_unicode(self) -> bool:
        # In the C locale, Python writes UTF-8 although the locale does not ask for it.
        asked_not_to = os.environ.get("LC_ALL") in {"C", "POSIX"}
        return (self.out.encoding or "").lower().startswith("utf") and not asked_not_to

    @property
    def width(self) -> int:
        """How many characters fit on a line."""
        from shutil import get_terminal_size

        return get_terminal_size().columns if self.is_terminal else _UNSEEN_WIDTH

    @cached_property
    def console(self) -> Console:
        """The rich console, for tables and live output."""
        from rich.console import Console

        return Console(
            file=self.out,
            no_color=not self.has_colour,
            force_terminal=self.is_terminal,
            highlight=False,
            markup=False,
            emoji=False,
            width=None if self.is_terminal else _UNSEEN_WIDTH,
        )

    def line(self, text: str = "") -> None:
        """Print a line, for programs or people."""
        self.out.write(f"{_safe(self.plain(text))}\n")
        self.out.flush()

    def state_line(self, name: str, state: State, text: str) -> None:
        """Print a line about an Act: its state as a sign and a word, then a text."""
        style = self.style(state)
        sign, word = f"{self.sign(state)} ", f"  {state!s:<9}"
        self.lines([[(sign, style), (name, "bold"), (word, style), (f"  {text}", "")]])

    def lines(self, lines: Iterable[Line]) -> None:
        """Print lines, or replace those shown before.

        Without live output this does not load rich, which takes longer than everything else.
        """
        if self._live:
            self._live.update(self._painted(lines), refresh=True)
        else:
            self.line("\n".join("".join(self._styled(*piece) for piece in line) for line in lines))

    def show(self, renderable: RenderableType) -> None:
        """Print a rich renderable, or replace the one shown before."""
        if self._live:
            self._live.update(renderable, refresh=True)
        else:
            self.console.print(renderable)

    @contextmanager
    def moving(self) -> Iterator[None]:
        """Inside this block, each `show` or `lines` replaces the output of the last."""
        from rich.live import Live

        with Live(console=self.console, auto_refresh=False, vertical_overflow="crop") as self._live:
            try:
                yield
            finally:
                self._live = None

    def done_line(self, title: str, seconds: float) -> None:
        """Print a completed step and how long it took."""
        sign = click.style("✓", fg="green") if self.has_colour else "✓"
        self.line(f"{sign} {title:<40} {seconds:5.1f} s")

    def waiting(self, title: str) -> AbstractContextManager[object]:
        """Show a spinner, if there is a terminal."""
        if not self.is_terminal:
            return nullcontext()
        return self.console.status(
            self.plain(harmless(title)), spinner="dots" if self.has_unicode else "line"
        )

    def complain(self, message: str) -> None:
        """Print an error on standard error."""
        coloured = self.err.isatty() and self.has_colour
        head = click.style("backstage:", fg="red", bold=True) if coloured else "backstage:"
        self.err.write(f"{head} {self.plain(harmless(message))}\n")
        self.err.flush()

    def hint(self, message: str) -> None:
        """Print a hint on standard error, so that programs do not read it."""
        self.err.write(f"{self.plain(harmless(message))}\n")
        self.err.flush()

    def sign(self, state: State) -> str:
        """The sign of a state."""
        rich, poor, _ = _LOOKS[state]
        return rich if self.has_unicode else poor

    def style(self, state: State) -> str:
        """The style of a state."""
        return _LOOKS[state][2]

    def plain(self, text: str) -> str:
        """The text, in ASCII if the terminal needs it."""
        return text if self.has_unicode else text.translate(_ASCII)

    def _styled(self, text: str, style: str) -> str:
        """A text with the escape sequences for a rich style."""
        if not style or not self.is_terminal:
            return text
        words = style.split()
        weights = {word: True for word in words if word in _WEIGHTS}
        colour = next((word for word in words if word not in _WEIGHTS and self.has_colour), None)
        return click.style(text, fg=colour, **weights) if weights or colour else text

    def _painted(self, lines: Iterable[Line]) -> Group:
        """The lines as a rich group."""
        from rich.console import Group
        from rich.text import Text

        plain = ([(self.plain(harmless(text)), style) for text, style in line] for line in lines)
        return Group(*(Text.assemble(*line) for line in plain))


def harmless(text: str) -> str:
    """A text from elsewhere with its invisible characters written out: they could change what is
    seen, or do what nobody asked for."""
    return visible(text)


def harmless_line(text: str) -> str:
    """The same on one line: nobody can add another, which would pass for one of ours."""
    return harmless(text).replace("\n", "\\n")


def _safe(text: str) -> str:
    """A text of our own, with its colours; whatever else is in it is made harmless."""
    return "".join(
        piece if number % 2 else harmless(piece) for number, piece in enumerate(_PAINT.split(text))
    )
