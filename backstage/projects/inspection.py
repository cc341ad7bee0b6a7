"""Examining the Django projects of Acts, each in a separate Python that changes nothing."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
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


def reports(projects: Iterable[Project]) -> Iterator[tuple[Project, Report | str]]:
    """The report of each project, in order, or the reason why there is none.

    Examinations in progress end when the caller stops iterating.
    """
    # The same for all, so that their keys can be compared.
    word = ask.word()
    waiting = (Question(each, "examine", word) for each in projects)
    under_way = deque(islice(waiting, _AT_ONCE))
    try:
        while under_way:
            yield under_way[0].project, _reported(under_way[0])
            under_way.popleft().end()
            under_way.extend(islice(waiting, 1))
    finally:
        for question in under_way:
            question.end()


def _reported(question: Question) -> Report | str:
    told = question.answer()
    if isinstance(told, Silence):
        return question.project.harmless(told.why)
    return Report(**told)
