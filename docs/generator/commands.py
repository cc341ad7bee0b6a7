"""What the program itself knows of its commands: the source of every page about them."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import dataclass

import click

from backstage.cli.exits import Exit
from backstage.cli.options import Command
from backstage.cli.program import SECTIONS, program

# What click leaves of a terminal that is 80 columns wide.
_WIDTH = 78


@dataclass(frozen=True)
class Option:
    """An option as it is typed, and what it does."""

    term: str
    text: str


@dataclass(frozen=True)
class Facts:
    """One command: `line` is its line in the overview, `text` its docstring."""

    name: str
    line: str
    usage: str
    text: str
    options: tuple[Option, ...]
    exits: tuple[Exit, ...]
    examples: str


def sections() -> Iterator[tuple[str, list[Facts]]]:
    """The sections of the program's help, with their commands."""
    for title, rows in SECTIONS.items():
        yield title, [_facts(name, line) for name, (_, line) in rows.items()]


def shared() -> tuple[Option, ...]:
    """The options that every command has."""
    return tuple(option for option in _options(_root()) if option.term != "--version")


def summary() -> str:
    """What the program is, in a sentence."""
    return program.help or ""


def help_texts() -> dict[str, str]:
    """What `--help` prints in a terminal of 80 columns, for the program and for each command."""
    names = [name for rows in SECTIONS.values() for name in rows]
    texts = {name: _context(name).get_help() for name in names}
    return {"backstage": _root().get_help(), **texts}


def _facts(name: str, line: str) -> Facts:
    context = _context(name)
    command = context.command
    assert isinstance(command, Command)
    common = shared()
    return Facts(
        name=name,
        line=line,
        usage=" ".join([context.command_path, *command.collect_usage_pieces(context)]),
        text=inspect.cleandoc(command.help or ""),
        options=tuple(option for option in _options(context) if option not in common),
        exits=command.exits,
        examples=command.examples,
    )


def _root() -> click.Context:
    settings = {**program.context_settings, "terminal_width": _WIDTH}
    return click.Context(program, info_name="backstage", **settings)


def _context(name: str) -> click.Context:
    root = _root()
    command = program.get_command(root, name)
    assert command, name
    return click.Context(command, root, name, **command.context_settings)


def _options(context: click.Context) -> Iterator[Option]:
    for parameter in context.command.get_params(context):
        if isinstance(parameter, click.Option) and (told := parameter.get_help_record(context)):
            yield Option(*told)
