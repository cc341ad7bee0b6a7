"""`backstage logs`: the logs of Acts and of the Emperor, interleaved; `-f` follows them."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterator

import click

from ...logs.journal import EMPEROR
from ...logs.records import Level, level_named
from ...logs.requests import Request
from ...logs.source import LogLine
from .. import ages
from ..options import acts_argument, command
from ..results import Result, Stream
from ..session import Session
from ..terminal.screen import Screen, harmless_line
from ..words import Whole

_EXAMPLES = """
backstage logs                       # the last lines of all logs
backstage logs blog shop -f          # follow, until Ctrl-C
backstage logs blog --since 10m
backstage logs --emperor -n 100
backstage logs blog --since '2026-05-01 21:45' --errors
backstage logs --grep 'checkout|basket' --level warning
"""
# The colours of statuses by their first digit.
_STATUS = {"4": "yellow", "5": "red"}

_COLOURS = ("cyan", "green", "yellow", "blue", "magenta", "bright_cyan", "bright_green")
# Colours that an application gives its own lines; other control characters are escaped.
_PAINT = re.compile(r"\x1b\[[\d;:]*m")


class _LevelName(click.Choice[str]):
    """A level in any case, also as it is written in logs."""

    def __init__(self) -> None:
        super().__init__([level.name.lower() for level in Level])

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        known = level_named(value)
        return super().convert(known.name.lower() if known else value, param, ctx)


def _pattern(_: click.Context, __: click.Parameter, text: str | None) -> re.Pattern[str] | None:
    try:
        return None if text is None else re.compile(text)
    except re.error as error:
        raise click.BadParameter(f"'{text}' is not a regular expression: {error}") from None


@command("logs", examples=_EXAMPLES, for_members=True)
@acts_argument
@click.option("-f", "--follow", is_flag=True, help="Follow the logs until Ctrl-C.")
@click.option(
    "-n",
    "--lines",
    type=Whole(min=0),
    metavar="NUMBER",
    help="Show the last NUMBER lines of each, 20 without --since.",
)
@click.option(
    "--since",
    callback=ages.moment,
    metavar="TIME",
    help="Only lines written since TIME: 10m, 2h, 1d, 20:00, yesterday, or a date and time.",
)
@click.option(
    "--emperor", is_flag=True, help="Show the Emperor's log, alone or with those of the Acts named."
)
@click.option(
    "--level",
    type=_LevelName(),
    help="Show only records of this level or a higher one.",
)
@click.option(
    "--errors", "level", flag_value="error", help="The same as --level error: with tracebacks."
)
@click.option(
    "--grep",
    metavar="PATTERN",
    callback=_pattern,
    help="Show only records in which a line matches this regular expression.",
)
@click.option("--raw", is_flag=True, help="Show requests as they are in the log.")
def logs(
    session: Session,
    acts: tuple[str, ...],
    follow: bool,
    lines: int | None,
    since: float | None,
    emperor: bool,
    level: str | None,
    grep: re.Pattern[str] | None,
    raw: bool,
) -> Stream:
    """Show the logs of Acts, interleaved.

    Without names, it shows all Acts and the Emperor. Lines are ordered by their timestamps; a line
    without one, as in a traceback, stays below the line before it. The last rotated file is read
    too. --follow continues across rotations and, if no Acts are named, includes Acts created later.

    On a terminal, a request takes one short line: when it began, its method, path and status, and
    how long it took. Pipes, files, --raw and --json get the whole line.

    A record is a line with a timestamp or a level, and the lines below it that have neither, such
    as a traceback. --level, --errors and --grep show whole records, and --lines then counts
    records. What tells no level is `info`. A traceback is an error, whatever level is above it. A
    request is an error if it was answered with 5xx, and a warning with 4xx. Of uWSGI's own lines,
    errors are those about workers that died or took too long, and about what could not be loaded,
    bound or opened.

    Control characters are escaped, as an escape sequence could change what you see; colours are
    removed. With --json the text is unchanged.
    """
    sources = tuple(dict.fromkeys((*acts, *([EMPEROR] if emperor else []))))
    names = sources or (*(act.name for act in session.venue), EMPEROR)
    width = max(map(len, names)) if len(sources) != 1 else 0
    is_short = session.screen.is_terminal and not raw
    journal = session.venue.logs(
        *sources, lines=lines, since=since, follow=follow, level=level, grep=grep
    )

    def results() -> Iterator[Result]:
        with journal:
            for line in journal:
                document = {"source": line.source, "at": line.at, "text": line.text}
                yield Result(document, shown(line, width, short=is_short))

    return Stream(results())


def shown(line: LogLine, width: int, *, short: bool) -> Callable[[Screen], None]:
    """How a line is shown: after its source, if there are several."""

    def show(screen: Screen) -> None:
        request = Request.read(line.text) if short else None
        text = _brief(request, screen) if request else harmless_line(_PAINT.sub("", line.text))
        if width:
            head = f"{line.source:<{width}} |"
            colour = _colour(line.source) if screen.has_colour else None
            text = f"{click.style(head, fg=colour) if colour else head} {text}".rstrip()
        screen.line(text)

    return show


def _brief(request: Request, screen: Screen) -> str:
    colour = _STATUS.get(request.status[0]) if screen.has_colour else None
    status = click.style(request.status, fg=colour) if colour else request.status
    took = f"{request.seconds * 1000:.0f} ms"
    return f"{request.time} {request.method} {harmless_line(request.path)} {status} {took}"


def _colour(source: str) -> str:
    """The colour of a source, always the same."""
    return _COLOURS[zlib.crc32(source.encode()) % len(_COLOURS)]
