"""`backstage logs`: the logs of Acts and of the Emperor, interleaved, once or as they grow."""

from __future__ import annotations

import re
import time
import zlib
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

import click

from ...logs.journal import EMPEROR
from ...logs.source import LogLine
from ..options import acts_argument, command
from ..results import Result, Stream
from ..session import Session
from ..terminal.screen import Screen, harmless

_EXAMPLES = """
backstage logs                       # the last lines of all of them
backstage logs blog shop -f          # go on, until Ctrl-C
backstage logs blog --since 10m
backstage logs --emperor -n 100
backstage logs blog --since '2026-05-01 21:45' | grep ERROR
"""
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_AGO = re.compile(r"(\d+[smhd])+")
_COLOURS = ("cyan", "green", "yellow", "blue", "magenta", "bright_cyan", "bright_green")
# Colours that an application gives its own lines; what else a terminal would obey is spelt out.
_PAINT = re.compile(r"\x1b\[[\d;:]*m")


def _moment(_: click.Context, __: click.Parameter, text: str | None) -> float | None:
    """A moment in seconds since the epoch: so long ago, or in the words of ISO 8601."""
    if text is None:
        return None
    try:
        if _AGO.fullmatch(text):
            parts = re.findall(r"(\d+)([smhd])", text)
            return time.time() - sum(_seconds(int(number), unit) for number, unit in parts)
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError):
        raise click.BadParameter(
            f"'{text}' is no moment; type how long ago, as 30s, 10m, 2h or 1d, "
            "or when, as 2026-05-01 or '2026-05-01 21:45'"
        ) from None


def _seconds(number: int, unit: str) -> float:
    return timedelta(**{_UNITS[unit]: number}).total_seconds()


@command("logs", examples=_EXAMPLES)
@acts_argument
@click.option("-f", "--follow", is_flag=True, help="Go on with what is added, until Ctrl-C.")
@click.option(
    "-n",
    "--lines",
    type=click.IntRange(min=0),
    metavar="NUMBER",
    help="So many last lines of each; 20 if --since is not given either.",
)
@click.option(
    "--since",
    callback=_moment,
    metavar="MOMENT",
    help="Only what was written since: 10m, 2h, 1d, or a date and time.",
)
@click.option(
    "--emperor", is_flag=True, help="The Emperor's log, alone or beside those of the Acts named."
)
def logs(
    session: Session,
    acts: tuple[str, ...],
    follow: bool,
    lines: int | None,
    since: float | None,
    emperor: bool,
) -> Stream:
    """Show the logs of Acts, interleaved.

    Without names, those of all Acts and of the Emperor. Lines are ordered by the time that they
    tell; one that tells none, as in a traceback, stays with the line above it. What was rotated
    away last is read too. --follow goes on over rotations, and over Acts that are made later where
    none were named.

    Control characters are spelt out, as an escape sequence could change what you see; colours are
    left out. With --json the text is as it was written.
    """
    sources = tuple(dict.fromkeys((*acts, *([EMPEROR] if emperor else []))))
    names = sources or (*(act.name for act in session.venue), EMPEROR)
    width = max(map(len, names)) if len(sources) != 1 else 0
    journal = session.venue.logs(*sources, lines=lines, since=since, follow=follow)

    def results() -> Iterator[Result]:
        with journal:
            for line in journal:
                document = {"source": line.source, "at": line.at, "text": line.text}
                yield Result(document, shown(line, width))

    return Stream(results())


def shown(line: LogLine, width: int) -> Callable[[Screen], None]:
    """How a line is shown: behind its source, unless there is but one."""

    def show(screen: Screen) -> None:
        text = harmless(_PAINT.sub("", line.text))
        if width:
            head = f"{line.source:<{width}} |"
            colour = _colour(line.source) if screen.has_colour else None
            text = f"{click.style(head, fg=colour) if colour else head} {text}".rstrip()
        screen.line(text)

    return show


def _colour(source: str) -> str:
    """The colour of a source, always the same."""
    return _COLOURS[zlib.crc32(source.encode()) % len(_COLOURS)]
