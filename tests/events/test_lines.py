"""The lines of `log/events.jsonl`."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from backstage.events import lines
from backstage.events.event import Event
from backstage.facts.states import State

EVENT = Event("blog", State.RUNNING, State.FAILING, 1777888231.402, "ü \n\x1b[2J", 4242, 0.0, "ann")
LINE = lines.line_of(EVENT).decode()


def test_the_form_is_the_documented_one() -> None:
    assert json.loads(LINE) == {
        **{"version": 1, "act": "blog", "before": "running", "after": "failing"},
        **{"at": 1777888231.402, "reason": "ü \n\x1b[2J", "pid": 4242, "unwatched_since": 0.0},
        "by": "ann",
    }


def test_what_is_written_is_read() -> None:
    """On one line, whatever it says."""
    assert "\n" not in LINE
    assert lines.event_of(LINE) == EVENT


def test_a_line_of_a_version_that_knew_nobody_is_read() -> None:
    earlier = lines.event_of(LINE.replace(', "by": "ann"', ""))
    assert earlier == replace(EVENT, by="")


def test_no_line_is_longer_than_the_docs_say() -> None:
    long = Event("a" * 255, State.RUNNING, State.FAILING, 0.0, "x" * 100_000)
    assert lines.LONGEST == 4000
    assert len(lines.line_of(long)) < 4000
    worst = Event("\x1b" * 255, State.RUNNING, State.FAILING, 0.0, "\x1b" * 100_000)
    assert len(lines.line_of(worst)) <= 4000
    told = lines.event_of(lines.line_of(worst).decode())
    assert told
    assert (told.act, told.after) == (worst.act, State.FAILING)


@pytest.mark.parametrize(
    "line",
    [
        *("", "{", LINE[:50], LINE[5:], "[]", "1", "null", '"version"', "[" * 3000),
        LINE.replace('"version": 1', '"version": 2'),
        LINE.replace("running", "flying"),
        LINE.replace('"blog"', "7"),
        LINE.replace('"running"', "[]"),
        LINE.replace("1777888231.402", '"soon"'),
        LINE.replace("1777888231.402", "NaN"),
        LINE.replace("1777888231.402", "1e300"),
        LINE.replace("1777888231.402", "-1"),
        LINE.replace("4242", '"x"'),
        LINE.replace("4242", "9" * 4500),
        LINE.replace('"pid"', '"dip"'),
        LINE.replace('"ann"', "1"),
        LINE.replace("ü", "ü" * 4000),
    ],
)
def test_what_is_no_event_is_none(line: str) -> None:
    assert lines.event_of(line) is None


def test_a_field_that_is_added_later_is_no_harm() -> None:
    assert lines.event_of(LINE.replace("{", '{"colour": "red", ')) == EVENT
