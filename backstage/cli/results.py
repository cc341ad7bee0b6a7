"""What commands return, and the one place that turns it into text or JSON.

docs/reference/commands/index.md documents the format: within one version, fields may be added but
never changed.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass

from ..errors import ActFailed, BackstageError
from .exits import Exit, exit_of
from .terminal.further import further
from .terminal.screen import Screen

VERSION = 1

Document = Mapping[str, object]


@dataclass(frozen=True)
class Result:
    """A command's result: an object for JSON, and a function that shows it to people.

    An object that takes long to make is made by a function, only when it is asked for. `exit` is an
    `Exit` or the exit code of a program that was run.
    """

    document: Document | Callable[[], Document]
    show: Callable[[Screen], None]
    exit: int = Exit.DONE

    @property
    def for_json(self) -> Document:
        """The object, made now if a function makes it."""
        return self.document() if callable(self.document) else self.document


@dataclass(frozen=True)
class Stream:
    """Results that arrive one by one; each is rendered at once."""

    results: Iterator[Result]


Returned = Result | Stream


def render(command: str, returned: Returned, screen: Screen, *, as_json: bool) -> int:
    """Print what a command returned; return the highest exit code of its results."""
    exits: list[int] = [Exit.DONE]
    results = iter([returned]) if isinstance(returned, Result) else returned.results
    try:
        for result in results:
            if as_json:
                screen.line(_envelope(command, ok=not result.exit, result=result.for_json))
            else:
                result.show(screen)
            exits.append(result.exit)
    finally:
        # Release what it holds, such as the terminal, before anything else is printed.
        if isinstance(results, Generator):
            results.close()
    return max(exits)


def render_error(command: str, error: BackstageError, screen: Screen, *, as_json: bool) -> Exit:
    """Print an error and return its exit code."""
    code = exit_of(error)
    message = error.at_shell
    if isinstance(error, ActFailed):
        more = error.log_tail.splitlines() if as_json else further(error)
        message = "\n".join([message, *more])
    tell_error(command, type(error).__name__, message, code, screen, as_json=as_json)
    return code


def tell_error(
    command: str, kind: str, message: str, code: Exit, screen: Screen, *, as_json: bool
) -> None:
    """Print any error: on standard error for people, as an envelope for programs."""
    if as_json:
        error = {"kind": kind, "message": message, "exit": int(code)}
        screen.line(_envelope(command, ok=False, error=error))
    else:
        screen.complain(message)


def _envelope(command: str, *, ok: bool, **content: object) -> str:
    import json

    text = json.dumps({"backstage": VERSION, "command": command, "ok": ok, **content})
    # The only character of ASCII that nobody sees and that JSON leaves as it is.
    return text.replace("\x7f", "\\u007f")
