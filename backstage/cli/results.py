"""What commands return, and the one place where it becomes text or JSON.

docs/reference/commands/index.md tells of the format to people: within one version, fields are
added, never changed.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass

from ..errors import BackstageError
from .exits import Exit, exit_of
from .terminal.screen import Screen

VERSION = 1

Document = Mapping[str, object]


@dataclass(frozen=True)
class Result:
    """What a command has found or done: as an object for JSON, and how it is shown to people.

    `exit` is an exit code, of `Exit` or of a program that was run.
    """

    document: Document
    show: Callable[[Screen], None]
    exit: int = Exit.DONE


@dataclass(frozen=True)
class Stream:
    """Results that come one by one, each to be rendered at once."""

    results: Iterator[Result]


Returned = Result | Stream


def render(command: str, returned: Returned, screen: Screen, *, as_json: bool) -> int:
    """Print what a command returned; the exit code is the highest of its results."""
    exits: list[int] = [Exit.DONE]
    results = iter([returned]) if isinstance(returned, Result) else returned.results
    try:
        for result in results:
            if as_json:
                screen.line(_envelope(command, ok=not result.exit, result=result.document))
            else:
                result.show(screen)
            exits.append(result.exit)
    finally:
        # What it holds, such as the terminal, is given back before anything else is said.
        if isinstance(results, Generator):
            results.close()
    return max(exits)


def render_error(command: str, error: BackstageError, screen: Screen, *, as_json: bool) -> Exit:
    """Print what went wrong, with its exit code."""
    code = exit_of(error)
    tell_error(command, type(error).__name__, str(error), code, screen, as_json=as_json)
    return code


def tell_error(
    command: str, kind: str, message: str, code: Exit, screen: Screen, *, as_json: bool
) -> None:
    """Print an error of any kind: on the error stream for people, as an envelope for programs."""
    if as_json:
        error = {"kind": kind, "message": message, "exit": int(code)}
        screen.line(_envelope(command, ok=False, error=error))
    else:
        screen.complain(message)


def _envelope(command: str, *, ok: bool, **content: object) -> str:
    import json

    return json.dumps({"backstage": VERSION, "command": command, "ok": ok, **content})
