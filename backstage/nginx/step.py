"""The steps of a bind, each with its undo; either all of them are done or none."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from enum import Enum, unique

from ..errors import BackstageError


@unique
class Deed(Enum):
    """What a step does; the value is the message after it was done."""

    WRITE_SITE = "wrote {subject}"
    REMOVE_SITE = "removed {subject}"
    CHANGE_ENV = "changed {details} in {subject}"
    RELOAD_NGINX = "reloaded nginx"
    START_NGINX = "started nginx"
    RESTART_ACT = "restarted {subject}"
    GET_CERTIFICATE = "got a certificate for {details} from certbot"


@dataclass(frozen=True)
class Step:
    """One step, and its undo.

    `undo` restores the state before, even after a `do` that failed half-way. Both may raise
    BackstageError.
    """

    deed: Deed
    do: Callable[[], object] = field(repr=False, compare=False)
    undo: Callable[[], object] = field(repr=False, compare=False)
    subject: str = ""
    details: tuple[str, ...] = ()

    def __str__(self) -> str:
        """What was done, as a message."""
        return self.deed.value.format(subject=self.subject, details=", ".join(self.details))


def carry_out(steps: Iterable[Step]) -> tuple[Step, ...]:
    """Do the steps in order, and return them; each is requested when those before it are done.

    If a step fails, all steps begun are undone in the same order, as nginx can reload its old
    configuration only when that is back in place. Then the error of `do` is raised.
    """
    begun: list[Step] = []
    try:
        for step in steps:
            begun.append(step)
            step.do()
    except BaseException:
        _undo(begun)
        raise
    return tuple(begun)


def _undo(begun: Iterable[Step]) -> None:
    """Undo every step, even if the undo of another fails."""
    with ExitStack() as stack:
        for step in reversed([*begun]):
            stack.callback(_undo_one, step)


def _undo_one(step: Step) -> None:
    # The error that caused the undo matters more than one during it.
    with suppress(BackstageError):
        step.undo()
