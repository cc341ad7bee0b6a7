"""Rounds of questions about health, with no Emperor."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from backstage.errors import UnsafeDirectory
from backstage.events.health_rounds import HealthRounds
from backstage.facts.health import Generation
from backstage.facts.sightings import Sighting
from backstage.facts.states import State
from backstage.kinds.catalog import kind_of
from backstage.layout.paths import VenuePaths
from backstage.status import inquiries
from backstage.status.survey import Look
from backstage.system.wakeups import Wakeups
from backstage.uwsgi.questions import Answer

PATIENCE = 20.0
NAMES = ("api", "blog")


@pytest.fixture
def paths(tmp_path: Path) -> VenuePaths:
    """A Venue with two Acts that are asked by the command `true`."""
    paths = VenuePaths(tmp_path)
    for name in NAMES:
        paths.act(name).top.mkdir(parents=True)
    for directory in (paths.run, paths.log, paths.vassals):
        directory.mkdir(exist_ok=True)
    health = "{command: 'true', timeout: 20}"
    acts = ", ".join(f"{name}: {{health: {health}}}" for name in NAMES)
    paths.settings.write_text(f"acts: {{{acts}}}\n")
    return paths


@pytest.fixture
def wakeups() -> Iterator[Wakeups]:
    wakeups = Wakeups()
    yield wakeups
    wakeups.close()


@pytest.fixture
def rounds(paths: VenuePaths, wakeups: Wakeups) -> Iterator[HealthRounds]:
    rounds = HealthRounds(paths, wakeups)
    yield rounds
    rounds.close()


def look(name: str) -> Look:
    """A look at an Act that runs."""
    here = f"{os.getpid()}:1"
    return Look(
        name,
        Sighting(wanted=True, emperor=True),
        kind_of(None),
        State.RUNNING,
        os.getpid(),
        (),
        0.0,
        None,
        generation=Generation(here, 0, 0, frozenset()),
    )


def heard(rounds: HealthRounds, wakeups: Wakeups) -> set[str]:
    """Who says something new, before nobody is left to answer."""
    news, end = set[str](), time.monotonic() + PATIENCE
    while not news and time.monotonic() < end:
        woken = {name for name, _ in wakeups.wait(0.1)}
        news |= rounds.step(woken, time.monotonic())
    return news


@pytest.mark.parametrize(
    "error",
    [
        KeyError("getpwuid(): uid not found: 12345"),
        UnsafeDirectory(Path("/v"), "can be written by everybody", "chmod go-w /v"),
    ],
)
def test_an_act_that_cannot_be_asked_counts_as_not_asked(
    rounds: HealthRounds,
    wakeups: Wakeups,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
) -> None:
    """Such as one whose directory belongs to nobody; the others are asked all the same."""
    ask = inquiries.questions.ask

    def fail_for_blog(act: object, check: object) -> object:
        if getattr(act, "name", "") == "blog":
            raise error
        return ask(act, check)  # type: ignore[arg-type]

    monkeypatch.setattr(inquiries.questions, "ask", fail_for_blog)
    assert not rounds.attend(look("blog"))
    assert rounds.attend(look("api"))
    assert heard(rounds, wakeups) == {"api"}


def test_an_act_whose_answer_cannot_be_taken_counts_as_not_asked(
    rounds: HealthRounds, wakeups: Wakeups, monkeypatch: pytest.MonkeyPatch
) -> None:
    why = inquiries.Inquiry._why

    def fail_for_blog(self: inquiries.Inquiry, answer: Answer, for_log: float) -> str:
        if self._paths.name == "blog":
            raise PermissionError(13, "Permission denied")
        return why(self, answer, for_log)

    monkeypatch.setattr(inquiries.Inquiry, "_why", fail_for_blog)
    assert rounds.attend(look("blog"))
    assert heard(rounds, wakeups) == {"blog"}
    assert not rounds.attend(look("blog"))
    assert rounds.attend(look("api"))
    assert heard(rounds, wakeups) == {"api"}
