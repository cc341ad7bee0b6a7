"""The pages in docs/cli."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from backstage.cli.exits import Exit

from .blocks import blocks
from .commands import Facts, Option

_MADE = "<!-- Written by `make docs` from the program itself; edit that. -->"


def page(facts: Facts, shared: Sequence[Option]) -> str:
    """The page of one command."""
    return _join(
        f"{_MADE}\n# backstage {facts.name}",
        f"## What it does\n\n{_prose(facts.text)}",
        f"## Usage\n\n{_fenced(facts.usage)}",
        f"## Options\n\n{_options([*facts.options, *shared])}",
        f"## Exit codes\n\n{_exits(facts.exits)}",
        f"## Examples\n\n{_fenced(facts.examples, 'sh')}",
        "What holds for [all commands](README.md).",
    )


def index(
    summary: str,
    sections: Iterable[tuple[str, Sequence[Facts]]],
    shared: Sequence[Option],
    guide: dict[str, str],
) -> str:
    """The page that leads to all others, and tells what holds for every command."""
    return _join(
        f"{_MADE}\n# The command `backstage`",
        summary,
        *(f"## {title}\n\n{_overview(commands)}" for title, commands in sections),
        f"## Options of all commands\n\n{_options(shared)}",
        *(f"## {title}\n\n{_prose(text)}" for title, text in guide.items()),
        _exits(Exit),
    )


def _join(*parts: str) -> str:
    return "\n\n".join(parts) + "\n"


def _prose(text: str) -> str:
    return "\n\n".join(
        _fenced(block.text) if block.literal else _text(block.text) for block in blocks(text)
    )


def _fenced(text: str, language: str = "") -> str:
    return f"```{language}\n{text}\n```"


def _overview(commands: Iterable[Facts]) -> str:
    return _table("command", ((f"[{each.name}]({each.name}.md)", each.line) for each in commands))


def _options(options: Iterable[Option]) -> str:
    return _table("option", ((f"`{option.term}`", option.text) for option in options))


def _exits(exits: Iterable[Exit]) -> str:
    return _table("code", ((str(int(code)), code.meaning) for code in exits))


def _table(title: str, rows: Iterable[tuple[str, str]]) -> str:
    lines = [f"| {_cell(left)} | {_cell(_text(right))} |" for left, right in rows]
    return "\n".join([f"| {title} | |", "|---|---|", *lines])


def _cell(text: str) -> str:
    return text.replace("|", r"\|")


def _text(text: str) -> str:
    """Prose in which Markdown finds nothing but what stands between backticks."""
    parts = text.split("`")
    parts[::2] = [re.sub(r"[<*]", r"\\\g<0>", part) for part in parts[::2]]
    return "`".join(parts)
