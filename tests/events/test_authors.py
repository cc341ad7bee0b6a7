"""Who acts: an action signs the event that it causes, and no other."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from backstage.events import authors
from backstage.events.authors import Authors, Deed
from backstage.events.event import Event
from backstage.facts.states import State
from backstage.layout.paths import ActPaths, VenuePaths
from backstage.system import callers, processes

STOPS = Event("blog", State.RUNNING, State.STOPPING, 1.0, "its vassal file was removed")
STARTS = Event("blog", State.STOPPED, State.STARTING, 1.0, "")
RELOADS = Event("blog", State.RUNNING, State.RELOADING, 1.0, "")
DRAINS = Event("blog", State.RUNNING, State.RUNNING, 1.0, "draining")


@pytest.fixture
def act(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ActPaths:
    monkeypatch.setattr(callers, "name", lambda: "anna")
    (tmp_path / "run").mkdir()
    return VenuePaths(tmp_path).act("blog")


def signed(act: ActPaths, *events: Event, since: float = 0.0) -> list[str]:
    known = Authors(act.venue, since)
    return [known.signed(event).by for event in events]


@pytest.mark.parametrize(
    ("deed", "event"),
    [
        (Deed.BEGIN, STARTS),
        (Deed.BEGIN, RELOADS),
        (Deed.BEGIN, STOPS),
        (Deed.END, STOPS),
        (Deed.MARK, DRAINS),
    ],
)
def test_the_event_that_an_action_causes_is_signed_and_the_next_is_not(
    act: ActPaths, deed: Deed, event: Event
) -> None:
    authors.note(act, deed)
    assert signed(act, event, event) == ["anna", ""]


@pytest.mark.parametrize(
    ("deed", "event"),
    [(Deed.END, STARTS), (Deed.END, DRAINS), (Deed.MARK, STOPS), (Deed.BEGIN, DRAINS)],
)
def test_what_an_action_cannot_cause_is_not_signed(act: ActPaths, deed: Deed, event: Event) -> None:
    authors.note(act, deed)
    assert signed(act, event) == [""]


def test_an_action_from_before_anybody_listened_signs_nothing(act: ActPaths) -> None:
    """A touch by hand may come soon after a start, whose event nobody here has heard."""
    authors.note(act, Deed.BEGIN)
    assert signed(act, RELOADS, since=processes.boot_clock() + 0.01) == [""]


def test_an_edit_by_hand_has_no_author(act: ActPaths) -> None:
    assert signed(act, RELOADS) == [""]


def test_what_comes_long_after_has_another_cause(
    act: ActPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So does what comes before, as after a boot of the machine."""
    authors.note(act, Deed.BEGIN)
    now = processes.boot_clock()
    for moment in (now + 31, now - 60):
        monkeypatch.setattr(processes, "boot_clock", lambda moment=moment: moment)
        assert signed(act, RELOADS) == [""]


def test_an_action_that_was_not_done_signs_nothing(act: ActPaths) -> None:
    authors.note(act, Deed.BEGIN)
    authors.withdraw(act)
    assert signed(act, RELOADS) == [""]


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "1", '{"by": "x"}', '{"by": "x", "deed": "rule", "at": 1}', "[" * 999]
)
def test_a_note_that_makes_no_sense_is_none(act: ActPaths, text: str) -> None:
    act.author.write_text(text)
    assert signed(act, RELOADS) == [""]


def test_a_name_is_no_longer_than_a_line_has_room_for(act: ActPaths) -> None:
    told = {"by": "x" * 500, "deed": "begin", "at": processes.boot_clock()}
    act.author.write_text(json.dumps(told))
    assert signed(act, RELOADS) == ["x" * 100]
