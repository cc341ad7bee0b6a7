"""New texts for the vassal files of real Acts: the good ones run, the bad ones change nothing."""

from __future__ import annotations

from collections.abc import Iterator

import psutil
import pytest

from backstage.act import Act
from backstage.errors import ActFailed, CheckFailed, EditRefused
from backstage.facts.states import State
from backstage.logs import log_files
from backstage.shortcuts import new_act
from backstage.uwsgi import vassal_files
from backstage.venue import Venue

from .conftest import fetch
from .listening import RELOAD, START, STOP, Listener

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def act(venue: Venue) -> Iterator[Act]:
    act = new_act(venue, "rewritten")
    yield act
    act.retire()


@pytest.fixture
def running(act: Act) -> Iterator[Act]:
    """The Act, running with four threads; afterwards its vassal file is as it was."""
    act.start()
    text = act.vassal_text
    yield act
    act.stop()
    act.paths.kept.write_text(text)


def workers(act: Act) -> set[int]:
    return {child.pid for child in psutil.Process(act.pid).children()}


def threads(act: Act) -> int:
    """How many threads the worker really has for requests, after a request has started them."""
    fetch(act, "healthz")
    return act.snapshot().threads


def test_a_good_text_is_what_runs_when_the_call_returns(running: Act) -> None:
    before, crew = running.pid, workers(running)
    text = running.vassal_text
    changes = running.rewrite(text.replace("threads = 4", "threads = 6"), based_on=text)
    assert changes == ("threads = 4 → 6",)
    assert threads(running) == 6
    assert running.pid == before
    assert not workers(running) & crew
    assert "threads = 6" in running.paths.kept.read_text()


def test_a_good_text_is_told_once(running: Act, venue: Venue) -> None:
    """The next that is told is something else: here a stop."""
    text = running.vassal_text
    with venue.events() as stream:
        listener = Listener(running, stream)
        running.rewrite(text.replace("threads = 4", "threads = 6"), based_on=text)
        assert listener.sees(*RELOAD)[0].reason == "changed: threads = 4 → 6"
        running.stop()
        listener.sees(*STOP)


def test_a_bad_text_leaves_the_running_act_alone(running: Act, venue: Venue) -> None:
    text, before, crew = running.vassal_text, running.pid, workers(running)
    version, said = vassal_files.version(running.paths), log_files.size(running.paths.log)
    emperor_said = log_files.size(venue.paths.emperor_log)
    with venue.events() as stream:
        listener = Listener(running, stream)
        with pytest.raises(EditRefused, match="unknown option 'threds'; did you mean"):
            running.rewrite(text.replace("threads = 4", "threds = 6"), based_on=text)
        with pytest.raises(EditRefused):
            running.check(text.replace("processes = 1", "processes = one"))
        assert (running.pid, workers(running)) == (before, crew)
        assert vassal_files.version(running.paths) == version
        assert log_files.size(running.paths.log) == said
        assert log_files.size(venue.paths.emperor_log) == emperor_said
        running.restart()
        listener.sees(*RELOAD)


def test_a_text_based_on_another_one_is_refused(running: Act) -> None:
    text = running.vassal_text
    running.rewrite(text.replace("threads = 4", "threads = 5"), based_on=text)
    with pytest.raises(EditRefused, match="was changed in the meantime"):
        running.rewrite(text.replace("threads = 4", "threads = 6"), based_on=text)
    assert threads(running) == 5


def test_the_same_text_does_nothing(running: Act) -> None:
    crew = workers(running)
    assert running.rewrite(running.vassal_text, based_on=running.vassal_text) == ()
    assert workers(running) == crew


def test_a_stopped_act_stays_stopped_and_starts_with_the_new_text(
    running: Act, venue: Venue
) -> None:
    text = running.vassal_text
    running.stop()
    assert running.vassal_text == text
    with venue.events() as stream:
        listener = Listener(running, stream)
        with pytest.raises(EditRefused):
            running.rewrite(f"{text}threds = 6\n", based_on=text)
        running.rewrite(text.replace("threads = 4", "threads = 6"), based_on=text)
        assert running.state is State.STOPPED
        assert not running.wanted
        running.start()
        listener.sees(*START)
    assert threads(running) == 6


def test_a_text_that_fails_only_when_it_runs_is_told_and_can_be_mended(running: Act) -> None:
    """The module is there, but what it needs is not: only its code can tell."""
    text = running.vassal_text
    running.paths.top.joinpath("broken.py").write_text("import nowhere_to_be_found\n")
    bad = f"{text}module = broken:application\n"
    with pytest.raises(CheckFailed, match="No module named 'nowhere_to_be_found'"):
        running.rewrite(bad, based_on=text)
    assert running.vassal_text == text
    with pytest.raises(ActFailed, match="No module named 'nowhere_to_be_found'"):
        running.rewrite(bad, based_on=text, check=False)
    assert running.vassal_text == bad
    assert running.rewrite(text, based_on=bad) == ("- module",)
    assert running.state is State.RUNNING
    assert fetch(running, "healthz")[0] == 200


def test_what_is_set_in_the_environment_is_what_the_act_sees(running: Act) -> None:
    assert fetch(running, "no/such/page")[0] == 404
    assert "DEBUG = True" not in fetch(running, "no/such/page")[1]
    running.env.set(DEBUG="on")
    running.restart()
    assert "DEBUG = True" in fetch(running, "no/such/page")[1]
    running.env.unset("DEBUG")
