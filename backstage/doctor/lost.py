"""Examining whether the Venue is whole: what somebody has removed, and how it is made again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..status import premises
from ..status.survey import Survey
from ..uwsgi import lost_parts
from .finding import Finding, Remedy, ok, trouble


def examine(survey: Survey, names: Sequence[str]) -> Iterator[Finding]:
    """Everything that is lost, of the whole Venue and of these Acts."""
    lost = [
        *lost_parts.find(survey.paths, survey.emperor.pid),
        *premises.lost_projects(survey.paths, names),
    ]
    for part in lost:
        yield trouble(part.name, part.what, Remedy(part.advice, part.command))
    if not lost:
        yield ok("Venue", "no part of it is lost")
