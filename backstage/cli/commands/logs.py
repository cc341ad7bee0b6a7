"""`backstage logs`: the logs of Acts and of the Emperor, interleaved; `-f` follows them."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterator

import click

from ...logs.journal import EMPEROR
from ...logs.source import LogLine
from .. import ages
from ..options import acts_argument, command
from ..results import Result, Stream
from ..session import Session
from ..terminal.screen import Screen, harmless_line

_EXAMPLES = """
backstage logs                       # the last lines of all logs
backstage logs blog shop -f          # follow, until Ctrl-C
backstage logs blog --since 10m
backstage logs --emperor -n 100
backstage logs blog --since '2026-05-01 21:45' | grep ERROR
"""
_COLOURS = ("cyan", "green", "yellow", "blue", "magenta", "bright_cyan", "bright_green")
# Colours that an application gives its own lines; other control characters are escaped.
_PAINT = re.compile(r"\x1b\[[\d;:]*m")


@command("logs", examples=_EXAMPLES, for_members=True)
@acts_argument
@click.option("-f", "--follow", is_flag=True, help="Follow the logs until Ctrl-C.")
@click.option(
    "-n",
    "--lines",
    type=click.IntRange(min=0),
    metavar="NUMBER",
    help="Show the last NUMBER lines of each; 20 without --since.",
)
@click.option(
    "--since",
    callback=ages.moment,
    metavar="TIME",
    help="Only lines written since TIME: 10m, 2h, 1d, or a date and time.",
)
@click.option(
    "--emperor", is_flag=True, help="Show the Emperor's log, alone or with those of the Acts named."
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

    Without names, it shows all Acts and the Emperor. Lines are ordered by their timestamps; a line
    without one, as in a traceback, stays below the line before it. The last rotated file is read
    too. --follow continues across rotations and, if no Acts are named, includes Acts created later.

    Control characters are escaped, as an escape sequence could change what you see; colours are
    removed. With --json the text is unchanged.
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
    """How a line is shown: after its source, if there are several."""

    def show(screen: Screen) -> None:
        text = harmless_line(_PAINT.sub("", line.text))
        if width:
            head = f"{line.source:<{width}} |"
            colour = _colour(line.source) if screen.has_colour else None
            text = f"{click.style(head, fg=colour) if colour else head} {text}".rstrip()
        screen.line(text)

    return show


def _colour(source: str) -> str:
    """The colour of a source, always the same."""
    return _COLOURS[zlib.crc32(source.encode()) % len(_COLOURS)]
