"""`backstage doctor`: problems, likely problems, and how to fix them."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from ...doctor.finding import Finding, Remedy, Severity
from ..exits import Exit
from ..options import acts_argument, command
from ..results import Document, Result, Returned, Stream
from ..session import Session
from ..terminal.screen import Screen, harmless

if TYPE_CHECKING:
    from ...venue import Venue

_EXAMPLES = """
backstage doctor
backstage doctor blog shop    # the Venue, and only these Acts
backstage doctor --json | jq -r '.result.findings[].command'
"""
# The sign and style of each severity, and its label in the summary.
_LOOKS = {
    Severity.TROUBLE: ("✗", "bold red", "failed"),
    Severity.WARNING: ("!", "yellow", "with a warning"),
    Severity.NOTE: ("·", "cyan", "with a note"),
    Severity.OK: ("✓", "green", "ok"),
}
_TITLES = {"uwsgi": "uWSGI"}
_INDENT = " " * 4
_ARROW = "→ "


@command("doctor", examples=_EXAMPLES, exits=(Exit.FAILED,))
@acts_argument
def doctor(session: Session, acts: tuple[str, ...]) -> Returned:
    """Check for problems and say how to fix them.

    Checks the environment and its versions, permissions, ports, disk, limits, the Emperor, the
    features of uWSGI, and leftovers of interrupted operations. For all Acts, or those named, it
    checks the vassal file, the reason of a failure, `check --deploy`, migrations, DEBUG and
    SECRET_KEY. It changes nothing. The exit code is 1 if a check failed; warnings and notes do not
    count.
    """
    if session.as_json:
        found = [*session.venue.examine(*acts)]
        document: Document = {
            "venue": str(session.venue.path),
            **{str(severity): count for severity, count in _counted(found)},
            "findings": [finding.fields for finding in found],
        }
        return Result(document, lambda _: None, _exit(found))
    return Stream(_Examining(session.screen).shown(session.venue, acts))


class _Examining:
    """Shows each finding as soon as it is made and, while there is none, what is examined."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._title = "Examining"
        self._retitle: Callable[[str], None] = lambda _: None

    def shown(self, venue: Venue, acts: Sequence[str]) -> Iterator[Result]:
        found: list[Finding] = []
        findings = venue.examine(*acts, progress=self._tell)
        while finding := self._next(findings):
            opens = not found or found[-1].check != finding.check
            found.append(finding)
            yield Result({}, _lines(finding, opens=opens))
        yield Result({}, _summary(found), _exit(found))

    def _tell(self, what: str) -> None:
        self._title = f"Examining {what}"
        self._retitle(self._title)

    def _next(self, findings: Iterator[Finding]) -> Finding | None:
        with self._screen.waiting(self._title) as self._retitle:
            return next(findings, None)


def _lines(finding: Finding, *, opens: bool) -> Callable[[Screen], None]:
    def show(screen: Screen) -> None:
        if opens:
            title = _TITLES.get(finding.check, finding.check.capitalize())
            _print(screen, (title, "bold"))
        sign, style, _ = _LOOKS[finding.severity]
        head = f"  {sign} "
        subject = harmless(finding.subject)
        first, *more = _wrapped(screen, head, f"{subject}: {finding.what}")
        _print(screen, (head, style), (subject, "bold"), (first[len(head) + len(subject) :], ""))
        for line in (*more, *(_told(screen, finding.remedy) if finding.remedy else ())):
            _print(screen, (line, ""))

    return show


def _told(screen: Screen, remedy: Remedy) -> Iterator[str]:
    """What to do; a command stays on one line so that it can be copied."""
    words = _wrapped(screen, f"{_INDENT}{_ARROW}", str(remedy))
    if len(words) == 1 or not remedy.command:
        yield from words
        return
    yield from _wrapped(screen, f"{_INDENT}{_ARROW}", remedy.lead)
    yield f"{_INDENT}  {harmless(remedy.command)}"


def _wrapped(screen: Screen, head: str, text: str) -> list[str]:
    return textwrap.wrap(
        harmless(text),
        screen.console.width,
        initial_indent=head,
        subsequent_indent=" " * len(head),
        break_long_words=False,
        break_on_hyphens=False,
    )


def _summary(found: list[Finding]) -> Callable[[Screen], None]:
    counts = [(severity, count) for severity, count in _counted(found) if count]
    told = ", ".join(f"{count} {_LOOKS[severity][2]}" for severity, count in counts)
    worst = next((severity for severity, _ in counts), Severity.OK)
    return lambda screen: _print(screen, (told, _LOOKS[worst][1]))


def _counted(found: list[Finding]) -> list[tuple[Severity, int]]:
    counts = Counter(finding.severity for finding in found)
    return [(severity, counts[severity]) for severity in _LOOKS]


def _exit(found: list[Finding]) -> Exit:
    troubled = any(finding.severity is Severity.TROUBLE for finding in found)
    return Exit.FAILED if troubled else Exit.DONE


def _print(screen: Screen, *pieces: tuple[str, str]) -> None:
    from rich.text import Text

    line = Text.assemble(*((screen.plain(text), style) for text, style in pieces))
    screen.console.print(line, soft_wrap=True)
