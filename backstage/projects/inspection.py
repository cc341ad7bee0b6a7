"""Examining the Django projects of Acts, each in a separate Python that changes nothing."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from . import ask
from .ask import Question, Silence
from .project import Project

# How many projects to examine in parallel; more would only wait for the processor.
_AT_ONCE = 2
_LOCAL = frozenset({"localhost", "127.0.0.1", "[::1]", ".localhost"})


@dataclass(frozen=True, kw_only=True)
class Report:
    """What a project's own Python reports; `errors` has the reason for each missing part."""

    django: str
    debug: bool = False
    tls: bool | None = None
    hosts: Sequence[str] = ()
    key: str = ""
    messages: Sequence[tuple[str, int, str, str]] = ()
    pending: Sequence[str] = ()
    errors: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_public(self) -> bool:
        """Whether it answers to any name that is not local to this machine."""
        return not _LOCAL.issuperset(self.hosts)


class Inspections:
    """The examinations of several projects, the first of which begin at once.

    Close it: examinations in progress end then.
    """

    def __init__(self, projects: Iterable[Project]) -> None:
        # The same for all, so that their keys can be compared.
        word = ask.word()
        self._waiting = (Question(each, "examine", word) for each in projects)
        self._under_way: deque[Question] = deque()
        self._begin(_AT_ONCE)

    @property
    def next(self) -> str:
        """The name of the project whose report is the next one; '' after the last."""
        return self._under_way[0].project.name if self._under_way else ""

    def report(self) -> tuple[Project, Report | str]:
        """The next project and its report, or the reason why there is none."""
        question = self._under_way[0]
        told = _reported(question)
        self._under_way.popleft().end()
        self._begin(1)
        return question.project, told

    def close(self) -> None:
        while self._under_way:
            self._under_way.popleft().end()

    def _begin(self, number: int) -> None:
        self._under_way.extend(islice(self._waiting, number))


def _reported(question: Question) -> Report | str:
    told = question.answer()
    if isinstance(told, Silence):
        return question.project.harmless(told.why)
    return Report(**told)
