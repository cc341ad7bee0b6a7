"""Streams of events, as those who read them see them; nobody is watched here."""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from backstage.events.event import Event
from backstage.events.streams import EventStream, of_survey
from backstage.facts.states import State
from backstage.layout.paths import VenuePaths
from backstage.status.survey import Survey
from tests.patience import PATIENCE

Listen = Callable[..., EventStream]


@pytest.fixture
def stream_of(tmp_path: Path) -> Iterator[Listen]:
    """Streams of a Venue in which nothing happens but what a test says."""
    broadcast = of_survey(Survey(VenuePaths(tmp_path)))
    with ExitStack() as closing:

        def start(
            timeout: float | None = None, stop_event: threading.Event | None = None
        ) -> EventStream:
            return closing.enter_context(EventStream(broadcast, timeout, stop_event))

        yield start


def event(name: str) -> Event:
    return Event(name, State.STOPPED, State.STARTING, 0.0, "")


def test_events_come_in_their_order_and_none_is_lost(stream_of: Listen) -> None:
    """From the moment the stream is made, whenever they are read."""
    stream = stream_of(0.0)
    events = [event(f"act{number}") for number in range(1000)]
    for each in events:
        stream.put(each)
    assert list(stream) == events


def test_a_stream_waits_for_its_next_event(stream_of: Listen) -> None:
    stream = stream_of()
    telling = threading.Timer(0.01, stream.put, [event("blog")])
    telling.start()
    assert next(stream) == event("blog")
    telling.join()


def test_a_stream_ends_when_nothing_comes_in_time(stream_of: Listen) -> None:
    """And stays ended, whatever comes later."""
    stream = stream_of(0.01)
    assert list(stream) == []
    stream.put(event("blog"))
    assert list(stream) == []
    assert stream.next_within(PATIENCE) is None


def test_who_waits_for_one_event_in_vain_may_wait_again(stream_of: Listen) -> None:
    stream = stream_of()
    assert stream.next_within(0.0) is None
    assert stream.next_within(0.01) is None
    stream.put(event("blog"))
    assert stream.next_within(0.0) == event("blog")


def test_a_stream_ends_when_it_is_told_to_from_elsewhere(stream_of: Listen) -> None:
    """Be it by closing it or by an event that others share."""
    stop = threading.Event()
    for stream, end in (
        (closed := stream_of(), closed.close),
        (stream_of(stop_event=stop), stop.set),
    ):
        telling = threading.Timer(0.01, end)
        telling.start()
        assert stream.next_within(math.inf) is None
        assert list(stream) == []
        telling.join()


def test_a_stop_event_goes_before_what_is_left(stream_of: Listen) -> None:
    stop = threading.Event()
    stream = stream_of(stop_event=stop)
    stream.put(event("blog"))
    assert next(stream) == event("blog")
    stream.put(event("shop"))
    stop.set()
    assert list(stream) == []


def test_waiting_in_short_steps_loses_nothing(stream_of: Listen) -> None:
    """A stream that looks for its stop event now and then goes on waiting for events."""
    stream = stream_of(stop_event=threading.Event())
    telling = threading.Timer(0.25, stream.put, [event("blog")])
    telling.start()
    assert stream.next_within(PATIENCE) == event("blog")
    telling.join()


def test_what_goes_wrong_is_raised_where_events_are_read(stream_of: Listen) -> None:
    """After the events that came before it."""
    stream = stream_of()
    stream.put(event("blog"))
    stream.put(ZeroDivisionError("in the observer"))
    assert next(stream) == event("blog")
    with pytest.raises(ZeroDivisionError, match="in the observer"):
        next(stream)


def test_a_closed_stream_is_empty_and_may_be_closed_again(stream_of: Listen) -> None:
    with stream_of() as stream:
        stream.put(event("blog"))
        assert iter(stream) is stream
    for _ in range(2):
        assert list(stream) == []
        assert stream.next_within(PATIENCE) is None
        stream.close()


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_in_a_forked_child_a_stream_has_ended(stream_of: Listen) -> None:
    """What is told goes to the process that asked for it."""
    stream = stream_of()
    stream.put(event("blog"))
    if not (child := os.fork()):
        left = 1
        try:
            left = len(list(stream))
        finally:
            os._exit(left)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert next(stream) == event("blog")
