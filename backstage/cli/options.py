"""What all commands share: options, completion, examples and exit codes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import update_wrapper
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec

import click

from ..errors import BackstageError
from ..system import users
from ..system.deadlines import finite
from .exits import Exit
from .results import Returned
from .session import Session
from .terminal.screen import Screen
from .words import Number

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

_P = ParamSpec("_P")
# What a Venue, its settings and the system can answer to any command.
_ALWAYS = (
    *(Exit.DONE, Exit.USAGE, Exit.NOT_THERE, Exit.REFUSED, Exit.SYSTEM),
    *(Exit.BUG, Exit.INTERRUPTED),
)


class Command(click.Command):
    """A command with examples and exit codes, for its page and `--help`."""

    examples: str = ""
    for_members: bool = False
    exits: tuple[Exit, ...] = ()

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        if self.examples:
            with formatter.section("Examples"):
                for line in self.examples.splitlines():
                    typed = line.replace("sudo backstage ", f"sudo {users.program()} ")
                    formatter.write(f"{'':>{formatter.current_indent}}{typed}\n")


class Seconds(Number):
    """How long to wait: click takes `nan` and `inf` for numbers."""

    def __init__(self) -> None:
        super().__init__(min=0)

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        try:
            return finite(float(super().convert(value, param, ctx)))
        except ValueError as error:
            self.fail(str(error), param, ctx)


def command(
    name: str,
    *,
    examples: str,
    exits: Sequence[Exit] = (),
    for_members: bool = False,
    **settings: object,
) -> Callable[[Callable[Concatenate[Session, _P], Returned]], Command]:
    """Turn a function into a command; `exits` are its codes besides those every command has.

    `examples` are command lines, each explained after a `#` where needed. A command is
    `for_members` if members of the group that a Venue is shared with may use it. `settings` are
    passed to click's parser.
    """

    def decorate(function: Callable[Concatenate[Session, _P], Returned]) -> Command:
        def called(session: Session, /, *args: _P.args, **kwargs: _P.kwargs) -> Returned:
            session.is_for_members = for_members
            return function(session, *args, **kwargs)

        update_wrapper(called, function)
        wrapped = click.make_pass_decorator(Session)(called)
        made = click.command(name, cls=Command, context_settings=dict(settings))(
            _with_shared_options(wrapped)
        )
        made.examples = examples.strip("\n")
        made.for_members = for_members
        made.exits = tuple(sorted({*_ALWAYS, *exits}))
        return made

    return decorate


def complete_acts(ctx: click.Context, _: click.Parameter, typed: str) -> list[CompletionItem]:
    """The Acts whose names start with `typed`, for the shell."""
    from click.shell_completion import CompletionItem

    session = _session(ctx)
    session.is_for_members = isinstance(ctx.command, Command) and ctx.command.for_members
    try:
        acts = session.venue.acts
        return [CompletionItem(act.name) for act in acts if act.name.startswith(typed)]
    except BackstageError:
        return []


act_argument = click.argument("act_name", metavar="ACT", shell_complete=complete_acts)
acts_argument = click.argument("acts", nargs=-1, metavar="[ACT]...", shell_complete=complete_acts)

no_check_option = click.option(
    "--no-check", is_flag=True, help="Do not try new code before a running Act loads it."
)


def _with_shared_options(function: Callable[..., object]) -> Callable[..., object]:
    for option in reversed(shared_options()):
        function = option(function)
    return function


def shared_options() -> list[Callable[[Callable[..., object]], Callable[..., object]]]:
    """The options allowed before and after every command's name."""
    return [
        click.option(
            "--venue",
            # Whether it can be read is told with whose it is.
            type=click.Path(path_type=Path, readable=False),
            metavar="PATH",
            expose_value=False,
            callback=_set_venue,
            help="The Venue (default: BACKSTAGE_VENUE, else the current directory's).",
        ),
        click.option(
            "--json",
            is_flag=True,
            expose_value=False,
            callback=_set_json,
            help="Print JSON, one object per line.",
        ),
        click.option(
            "--debug",
            is_flag=True,
            expose_value=False,
            callback=_set_debug,
            help="Show the traceback of an error.",
        ),
    ]


def _set_venue(ctx: click.Context, _: click.Parameter, path: Path | None) -> None:
    if path is not None:
        _session(ctx).path = path


def _set_json(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    _session(ctx).as_json |= wanted


def _set_debug(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    _session(ctx).debug |= wanted


def _session(ctx: click.Context) -> Session:
    """The session of this call; a new one while the shell asks for completions."""
    found = ctx.find_object(Session)
    if found is None:
        found = ctx.find_root().obj = Session(Screen())
    return found
