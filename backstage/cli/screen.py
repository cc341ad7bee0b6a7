"""The terminal that the command writes to, whatever it can show."""

from __future__ import annotations

import io
import os
import re
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cached_property
from typing import TYPE_CHECKING, TextIO

import click

from ..states import State

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.live import Live

# How each state looks: a sign, and one for terminals without it, and a style of rich's.
_LOOKS = {
    State.RUNNING: ("●", "*", "green"),
    State.SLEEPING: ("●", "*", "cyan"),
    State.STARTING: ("◐", "~", "yellow"),
    State.RELOADING: ("◐", "~", "yellow"),
    State.WAITING: ("◐", "~", "yellow"),
    State.STOPPING: ("◐", "~", "magenta"),
    State.STOPPED: ("○", "-", "dim"),
    State.FAILING: ("✗", "x", "bold red"),
}
# What the library's and our own texts hold, for terminals that have no more than ASCII.
_ASCII = str.maketrans(
    {"→": "->", "…": "...", "●": "*", "◐": "~", "○": "-", "✓": "+", "✗": "x", "·": "."}
)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
# Nothing is cut to a width where nobody looks.
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
        """Whether somebody looks on, so that things may move."""
        return self.out.isatty() and os.environ.get("TERM") != "dumb"

    @property
    def has_colour(self) -> bool:
        return self.is_terminal and not os.environ.get("NO_COLOR")

    @property
    def has_unicode(self) -> bool:
        return (self.out.encoding or "").lower().startswith("utf")

    @cached_property
    def console(self) -> Console:
        """rich's, for tables and what moves."""
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
        """Print a line as it is, for programs as for people."""
        self.out.write(f"{self.plain(text)}\n")
        self.out.flush()

    def state_line(self, name: str, state: State, text: str) -> None:
        """Print a line about an Act: its state as a sign and a word, and what there is to say."""
        from rich.text import Text

        line = Text(f"{self.sign(state)} ", style=self.style(state))
        line.append(name, style="bold")
        line.append(f"  {state!s:<9}", style=self.style(state))
        line.append(f"  {self.plain(text)}", style="default not bold not dim")
        self.console.print(line, soft_wrap=True)

    def show(self, renderable: RenderableType) -> None:
        """Print something of rich's, or put it in the place of what was shown before."""
        if self._live:
            self._live.update(renderable, refresh=True)
        else:
            self.console.print(renderable)

    @contextmanager
    def moving(self) -> Iterator[None]:
        """From one `show` to the next, replace what is shown instead of adding to it."""
        from rich.live import Live

        with Live(console=self.console, auto_refresh=False, vertical_overflow="crop") as self._live:
            try:
                yield
            finally:
                self._live = None

    def done_line(self, title: str, seconds: float) -> None:
        """Print that something is done, and how long it took."""
        sign = click.style("✓", fg="green") if self.has_colour else "✓"
        self.line(f"{sign} {title:<40} {seconds:5.1f} s")

    def waiting(self, title: str) -> AbstractContextManager[object]:
        """Show that something is under way, while somebody looks on."""
        if not self.is_terminal:
            return nullcontext()
        return self.console.status(
            self.plain(title), spinner="dots" if self.has_unicode else "line"
        )

    def complain(self, message: str) -> None:
        """Print an error on standard error."""
        coloured = self.err.isatty() and self.has_colour
        head = click.style("backstage:", fg="red", bold=True) if coloured else "backstage:"
        self.err.write(f"{head} {self.plain(harmless(message))}\n")
        self.err.flush()

    def hint(self, message: str) -> None:
        """Print what goes beside the result on standard error, so that programs do not read it."""
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
        """A text in signs that this terminal has."""
        return text if self.has_unicode else text.translate(_ASCII)


def harmless(text: str) -> str:
    """A text of unknown origin, its control characters spelt out instead of obeyed."""
    return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", text)
