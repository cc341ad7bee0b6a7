"""Examining what venue.yaml says about single Acts: whether there are such Acts."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches

from ..layout.settings import lines_of_acts
from ..status.survey import Survey
from .finding import Finding, Remedy, ok, warning

_SETTINGS = "venue.yaml"


def examine(survey: Survey) -> Iterator[Finding]:
    """Settings of Acts that are not there: misspelt, retired, or not made yet."""
    names, lines = survey.names(), lines_of_acts(survey.paths.settings)
    unknown = {name: line for name, line in lines.items() if name not in names}
    for name, line in unknown.items():
        meant = get_close_matches(name, names, n=1)
        hint = f"; did you mean {meant[0]!r}?" if meant else ""
        what = f"line {line} has settings for {name!r}, but there is no such Act{hint}"
        yield warning(_SETTINGS, what, Remedy("correct the name, remove them, or make the Act"))
    if lines and not unknown:
        yield ok(_SETTINGS, "has settings only for Acts that are there")
