"""What the verbs share, such as `start`: they act on several Acts and report each outcome."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ..batches import Outcome, Verb
from ..facts.states import PASSING
from .exits import Exit
from .options import Command, acts_argument, command, no_check_option
from .results import Result, Stream
from .rights import start_unit
from .session import Session
from .terminal.aftermath import Aftermath

if TYPE_CHECKING:
    from ..venue import Venue

_Function = TypeVar("_Function", bound=Callable[..., Any])
_EXITS = (Exit.FAILED, Exit.REFUSED, Exit.PORT, Exit.SYSTEM, Exit.LATE, Exit.BUSY)
_EXAMPLES = """
backstage {verb} blog shop      # several Acts
backstage {verb} --all
backstage {verb} blog --wait 0  # return at once
"""


_SECONDS = re.compile(r"(\d+(?:\.\d+)?)s?")


def duration(text: str) -> float:
    """Seconds from `2` or `2s`."""
    match = _SECONDS.fullmatch(text)
    if match is None:
        raise ValueError(text)
    return float(match[1])


def verb_command(verb: Verb, text: str) -> Command:
    is_restart = verb is Verb.RESTART
    exits = (*_EXITS, Exit.CHECK) if is_restart else _EXITS

    @command(str(verb), examples=_EXAMPLES.format(verb=verb), exits=exits, for_members=True)
    @acts_argument
    @click.option("--all", "everybody", is_flag=True, help="All Acts in the Venue.")
    @click.option(
        "--wait",
        type=click.FloatRange(min=0),
        default=30.0,
        show_default=True,
        metavar="SECONDS",
        help="How long to wait for each Act; 0 returns at once.",
    )
    @(no_check_option if is_restart else _as_it_is)
    def made(
        session: Session,
        acts: tuple[str, ...],
        everybody: bool,
        wait: float,
        drain: float = 0.0,
        no_check: bool = False,
    ) -> Stream:
        if bool(acts) == everybody:
            raise click.UsageError("name one or more Acts, or use --all")
        if verb in {Verb.START, Verb.RESTART}:
            start_unit(session)
        each = partial(
            session.venue.each,
            verb,
            acts or None,
            wait or None,
            drain=drain,
            check=not no_check,
        )
        return Stream(_outcomes(session, verb, acts, each))

    made.help = text
    if verb is Verb.STOP:
        made.params.insert(2, _drain_option())
    return made


def _as_it_is(function: _Function) -> _Function:
    return function


def _drain_option() -> click.Option:
    return click.Option(
        ["--drain"],
        type=duration,
        default="0",
        metavar="SECONDS",
        help="Before the stop, say at the health path for so long that visitors go elsewhere.",
    )


def _outcomes(
    session: Session, verb: Verb, names: tuple[str, ...], begin: Callable[[], Iterator[Outcome]]
) -> Iterator[Result]:
    outcomes = begin()
    meant = names or [act.name for act in session.venue]
    width = max((len(name) for name in meant), default=0)
    nothing = True
    try:
        for outcome in outcomes:
            nothing = False
            yield _result(outcome, width)
    except (KeyboardInterrupt, GeneratorExit):
        session.under_way.update(_going_on(session.venue, meant))
        raise
    if nothing:
        session.screen.hint(f"There are no Acts to {verb}.")


def _going_on(venue: Venue, names: Collection[str]) -> list[str]:
    """What the Emperor continues by itself; Acts whose turn had not come are unaffected."""
    return [
        f"{now.name} is {now.state}"
        for now in venue.snapshot()
        if now.name in names and now.state in PASSING
    ]


def _result(outcome: Outcome, width: int) -> Result:
    aftermath = Aftermath(outcome.now, outcome.error)
    document = {
        "act": outcome.now.name,
        "seconds": round(outcome.seconds, 3),
        **aftermath.document,
    }
    took = f"{outcome.seconds:5.1f} s  "
    return Result(document, lambda screen: aftermath.show(screen, width, took), aftermath.exit)
