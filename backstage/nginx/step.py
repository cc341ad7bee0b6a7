"""The steps by which an Act comes under its domains: each with what undoes it, all or none done."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from enum import Enum, unique

from ..errors import BackstageError


@unique
class Deed(Enum):
    """What a step does, in the words in which people are told that it was done."""

    WRITE_SITE = "wrote {subject}"
    REMOVE_SITE = "removed {subject}"
    CHANGE_ENV = "changed {details} in {subject}"
    RELOAD_NGINX = "had nginx read its configuration"
    START_NGINX = "started nginx"
    RESTART_ACT = "restarted {subject}"


@dataclass(frozen=True)
class Step:
    """One thing to be done, and how it is undone.

    `undo` makes it as it was before, also where `do` got only part of the way. Both may raise
    BackstageError.
    """

    deed: Deed
    do: Callable[[], object] = field(repr=False, compare=False)
    undo: Callable[[], object] = field(repr=False, compare=False)
    subject: str = ""
    details: tuple[str, ...] = ()

    def __str__(self) -> str:
        """What was done, for people."""
        return self.deed.value.format(subject=self.subject, details=", ".join(self.details))


def carry_out(steps: Iterable[Step]) -> tuple[Step, ...]:
    """Do the steps in order, and return them; each is asked for when those before it are done.

    Where one fails, all that were begun are undone in the same order: nginx can read its old
    configuration only when that is back in place. What `do` raised is raised then.
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
    """Undo every one of the steps, also where another cannot be undone."""
    with ExitStack() as stack:
        for step in reversed([*begun]):
            stack.callback(_undo_one, step)


def _undo_one(step: Step) -> None:
    # People have to learn why all of it is undone.
    with suppress(BackstageError):
        step.undo()
