"""What to do next: the same value is a call in Python and a command at a shell."""

from __future__ import annotations

import ast
import shlex
from pathlib import Path

import pytest

from backstage.errors import ActFailed, BackstageError, NoSuchAct, NotAVenue, UpgradeFailed
from backstage.facts import advice
from backstage.facts.advice import Advice

VENUE = Path("/srv/My Venue's")
ALL = {
    "make a Venue": advice.make_venue(VENUE, "to make it"),
    "the first Venue": advice.FIRST_VENUE,
    "make an Act": advice.make_act(VENUE, "blog", "to make it"),
}


@pytest.mark.parametrize("given", ALL.values(), ids=ALL)
def test_both_forms_can_be_typed(given: Advice) -> None:
    """Whatever is in a path, the call is Python and the command is one of `backstage`."""
    call = ast.parse(given.call, mode="eval").body
    assert isinstance(call, ast.Call)
    assert shlex.split(given.command)[0] == "backstage"


@pytest.mark.parametrize(
    "error",
    [
        NotAVenue(VENUE, "does not exist", ALL["make a Venue"]),
        NoSuchAct("blog", VENUE, ()),
        ActFailed("blog", "has no vassal file", advice=ALL["make an Act"]),
    ],
)
def test_an_error_tells_the_form_of_its_reader(error: BackstageError) -> None:
    given = error.advice
    assert given is not None
    assert given.call in str(error)
    assert given.command not in str(error)
    assert given.command in error.at_shell
    assert given.call not in error.at_shell


def test_an_error_without_advice_is_the_same_for_all() -> None:
    error = NoSuchAct("blgo", VENUE, ("blog",))
    assert str(error) == error.at_shell == f"no Act 'blgo' in {VENUE}; did you mean 'blog'?"


def test_the_cause_of_another_error_is_told_to_its_reader_too() -> None:
    error = UpgradeFailed(VENUE, NotAVenue(VENUE, "is gone", advice.FIRST_VENUE), ("left",))
    assert advice.FIRST_VENUE.call in str(error)
    assert advice.FIRST_VENUE.command in error.at_shell
    assert str(error).endswith("\nleft")
    assert error.at_shell.endswith("\nleft")
