"""Whom people are told about, and when; no clock runs here."""

from __future__ import annotations

import math

import pytest

from backstage.facts.notices import Kind, Notice
from backstage.facts.states import State
from backstage.watcher.troubles import HOUR, LASTS, MOST, Troubles

FAILING, STARTING, RUNNING = State.FAILING, State.STARTING, State.RUNNING


class Story:
    """Troubles over time: states at moments, and the notices that were due by then."""

    def __init__(self) -> None:
        self.troubles = Troubles("/v", {}, [])
        self.told: list[tuple[float, Notice]] = []
        self.now = 0.0

    def until(self, moment: float) -> list[tuple[float, str, str]]:
        """What is told up to a moment, by a watcher that sleeps as long as it may."""
        begun = len(self.told)
        while True:
            self.told += [(self.now, each) for each in self.troubles.due(self.now, self.now)]
            pause = self.troubles.pause(self.now)
            if self.now + pause > moment:
                break
            assert pause > 0, "it would never sleep"
            self.now += pause
        self.now = moment
        self.told += [(self.now, each) for each in self.troubles.due(self.now, self.now)]
        return [(at, each.act, each.title) for at, each in self.told[begun:]]

    def is_(self, state: State, act: str = "blog", *, given_up: bool = False) -> None:
        self.troubles.note(act, state, "why", given_up=given_up, now=self.now, at=self.now)


@pytest.fixture
def story() -> Story:
    return Story()


def test_what_lasts_is_told_once_and_once_when_it_is_over(story: Story) -> None:
    story.is_(FAILING)
    assert story.until(LASTS - 0.1) == []
    assert story.until(500) == [(LASTS, "blog", "blog is failing")]
    story.is_(FAILING)
    story.is_(State.UNHEALTHY)
    assert story.until(600) == []
    story.is_(RUNNING)
    assert story.until(900) == [(600 + LASTS, "blog", "blog runs again")]
    assert [each.lasted for _, each in story.told] == [LASTS, 600]
    assert not story.troubles.acts
    assert story.troubles.pause(900) == math.inf


def test_what_is_soon_over_is_not_told(story: Story) -> None:
    for moment in range(10, 1000, 10):
        story.is_(FAILING)
        assert story.until(moment - 8) == []
        story.is_(RUNNING)
        assert story.until(moment) == []
    assert not story.troubles.acts


def test_an_act_that_is_tried_again_and_again_is_told_once(story: Story) -> None:
    """Although it never fails for long, and even runs in between."""
    told = []
    for moment in range(200):
        story.is_((FAILING, STARTING, RUNNING, STARTING)[moment % 4])
        told += story.until(moment + 1)
    assert [title for _, _, title in told] == ["blog is failing"]
    assert told[0][0] < 4 * LASTS


def test_a_restart_of_an_act_that_runs_again_is_no_trouble(story: Story) -> None:
    story.is_(FAILING)
    assert story.until(2) == []
    story.is_(RUNNING)
    assert story.until(3) == []
    story.is_(State.RELOADING)
    assert story.until(60) == []
    story.is_(RUNNING)
    assert story.until(100) == []
    assert not story.troubles.acts


def test_stops_starts_and_restarts_are_not_told(story: Story) -> None:
    states = [state for state in State if state not in {FAILING, State.UNHEALTHY}]
    for moment, state in enumerate(states * 3, start=1):
        story.is_(state)
        assert story.until(moment * 60.0) == []


def test_a_stop_ends_a_trouble_at_once(story: Story) -> None:
    story.is_(FAILING)
    story.until(60)
    story.is_(State.STOPPING)
    story.is_(State.STOPPED)
    assert story.until(60) == [(60, "blog", "blog is stopped")]


def test_one_that_was_given_up_is_told(story: Story) -> None:
    """Also if it did not fail for long, as it does not start again by itself."""
    story.is_(FAILING)
    story.until(1)
    story.is_(State.STOPPED, given_up=True)
    assert story.until(60) == [(LASTS, "blog", "blog is stopped")]
    assert story.told[0][1].kind is Kind.TROUBLE
    story.is_(STARTING)
    story.is_(RUNNING)
    assert story.until(120) == [(60 + LASTS, "blog", "blog runs again")]


def test_only_so_many_are_sent_in_an_hour(story: Story) -> None:
    """Then one more says so, and what is still true is told later."""
    acts = [f"act{number:02}" for number in range(MOST + 5)]
    for act in acts:
        story.is_(FAILING, act)
    first = story.until(600)
    assert [act for _, act, _ in first] == [*acts[:MOST], ""]
    assert first[-1][2] == "too many messages"
    story.is_(RUNNING, acts[-1])
    assert story.until(HOUR) == []
    later = story.until(2 * HOUR - 60)
    assert [act for _, act, _ in later] == acts[MOST:-1]
    assert {at for at, _, _ in later} == {HOUR + LASTS}


def test_however_much_happens_the_number_is_bounded(story: Story) -> None:
    for moment in range(0, 10 * int(HOUR), 60):
        for number in range(30):
            story.is_(FAILING if moment % 120 else RUNNING, f"act{number}")
        story.until(moment + 60.0)
    assert len(story.told) <= 11 * (MOST + 1)
    assert len(story.troubles.sent) == MOST


def test_what_people_know_outlives_a_watcher(story: Story) -> None:
    story.is_(FAILING)
    story.until(60)
    again = Story()
    again.now = 60.0
    again.troubles = Troubles("/v", story.troubles.acts, story.troubles.sent)
    again.is_(FAILING)
    assert again.until(100) == []
    again.is_(RUNNING)
    assert again.until(200) == [(100 + LASTS, "blog", "blog runs again")]


def test_news_of_an_act_that_runs_again_put_nothing_off(story: Story) -> None:
    """Such as edits that are refused, one each second."""
    story.is_(FAILING)
    story.until(60)
    told = []
    for moment in range(60, 80):
        story.is_(RUNNING)
        told += story.until(moment + 1)
    assert told == [(60 + LASTS, "blog", "blog runs again")]
