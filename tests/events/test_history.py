"""Histories as data: what was seen of an Act, look after look, and what is told of it."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backstage.events.event import Event
from backstage.events.history import History, Moment
from backstage.facts.states import State

RUNNING, STARTING, STOPPED = State.RUNNING, State.STARTING, State.STOPPED
FAILING, RELOADING, SLEEPING = State.FAILING, State.RELOADING, State.SLEEPING
STOPPING, WAITING = State.STOPPING, State.WAITING


def told(moments: list[Moment]) -> list[Event]:
    """All events of an Act that was looked at once a second, from 0 on."""
    history = History()
    return [event for at, moment in enumerate(moments) for event in history.note("a", moment, at)]


def words(events: list[Event]) -> list[str]:
    return [
        f"{event.at:.0f}: {event.before} → {event.after}"
        + (f" ({event.reason})" if event.reason else "")
        for event in events
    ]


def crew(*workers: int) -> Moment:
    """A look at a running Act with these workers."""
    return Moment(RUNNING, 7, workers=frozenset(workers))


STORIES = {
    "it starts and is stopped": (
        [
            Moment(STARTING, 7, reason="its vassal file was added"),
            Moment(RUNNING, 7, reason="answers on port 8001"),
            Moment(STOPPING, 7, reason="its vassal file was removed"),
            Moment(STOPPED),
        ],
        [
            "0: stopped → starting (its vassal file was added)",
            "1: starting → running (answers on port 8001)",
            "2: running → stopping (its vassal file was removed)",
            "3: stopping → stopped",
        ],
    ),
    "one that was never seen counts as stopped": (
        [Moment(STOPPED)],
        [],
    ),
    "the same look twice tells nothing": (
        [Moment(RUNNING, 7, 1, "answers"), *[Moment(RUNNING, 7, 1, "answers")] * 3],
        ["0: stopped → running (answers)"],
    ),
    "a reason alone is no news while it runs": (
        [Moment(RUNNING, 7), Moment(RUNNING, 7, reason="answers on port 8001")],
        ["0: stopped → running"],
    ),
    "its master was killed and replaced between two looks": (
        [Moment(RUNNING, 7), Moment(RUNNING, 9, reason="killed by SIGKILL")],
        [
            "0: stopped → running",
            "1: running → starting (killed by SIGKILL)",
            "1: starting → running (killed by SIGKILL)",
        ],
    ),
    "it is about to load its files again, then it has": (
        [replace(crew(11), loaded=5), crew(11), crew(11), *[replace(crew(13), loaded=9)] * 2],
        ["0: stopped → running", "3: running → reloading", "3: reloading → running"],
    ),
    "it has loaded its files again between two looks": (
        [replace(crew(11, 12), loaded=5), replace(crew(13, 14), loaded=9)],
        ["0: stopped → running", "1: running → reloading", "1: reloading → running"],
    ),
    "another master counts its reloads anew": (
        [Moment(RUNNING, 7, 3), Moment(RUNNING, 9, 0), Moment(RUNNING, 9, 0)],
        ["0: stopped → running", "1: running → starting", "1: starting → running"],
    ),
    "another master is what is told where it has reloaded, too": (
        [Moment(RUNNING, 7, 0), Moment(RUNNING, 9, 1)],
        ["0: stopped → running", "1: running → starting", "1: starting → running"],
    ),
    "it was reloaded between two looks": (
        [Moment(RUNNING, 7), Moment(RUNNING, 7, 1, "changed: threads = 4 → 8")],
        [
            "0: stopped → running",
            "1: running → reloading (changed: threads = 4 → 8)",
            "1: reloading → running (changed: threads = 4 → 8)",
        ],
    ),
    "all its workers were replaced between two looks": (
        [crew(1, 2), crew(3, 4)],
        ["0: stopped → running", "1: running → starting", "1: starting → running"],
    ),
    "one of its workers was replaced": ([crew(1, 2), crew(2, 3)], ["0: stopped → running"]),
    "a look found no workers to speak of": ([crew(1), crew()], ["0: stopped → running"]),
    "several reloads between two looks are one": (
        [Moment(RUNNING, 7), Moment(RUNNING, 7, 4)],
        ["0: stopped → running", "1: running → reloading", "1: reloading → running"],
    ),
    "a reload that was seen is not told again": (
        [Moment(RUNNING, 7), Moment(RELOADING, 7, 1), Moment(RUNNING, 7, 1)],
        ["0: stopped → running", "1: running → reloading", "2: reloading → running"],
    ),
    "it starts in one process and runs in the next": (
        [Moment(STARTING, 7), Moment(STARTING, 9), Moment(RUNNING, 9)],
        ["0: stopped → starting", "2: starting → running"],
    ),
    "it falls asleep and is woken": (
        [
            Moment(SLEEPING, reason="wakes on a request"),
            Moment(RUNNING, 7, reason="answers on port 8001"),
            Moment(SLEEPING, reason="wakes on a request"),
        ],
        [
            "0: stopped → sleeping (wakes on a request)",
            "1: sleeping → running (answers on port 8001)",
            "2: running → sleeping (wakes on a request)",
        ],
    ),
    "a cheap one was reloaded in its sleep": (
        [Moment(SLEEPING, 7), Moment(SLEEPING, 7, 1)],
        ["0: stopped → sleeping", "1: sleeping → reloading", "1: reloading → sleeping"],
    ),
    "nobody knows the process of one that outlived its Emperor for a while": (
        [Moment(RUNNING, 7), Moment(RUNNING), Moment(RUNNING, 7, 2)],
        ["0: stopped → running"],
    ),
    "it fails, again for the same reason, and then for another": (
        [
            Moment(FAILING, reason="No module named 'shop'"),
            Moment(FAILING, reason="No module named 'shop'"),
            Moment(FAILING, reason="port 8001 is taken by nginx (pid 812)"),
        ],
        [
            "0: stopped → failing (No module named 'shop')",
            "2: failing → failing (port 8001 is taken by nginx (pid 812))",
        ],
    ),
    "that nobody knows any more why it fails is no news": (
        [Moment(FAILING, reason="No module named 'shop'"), Moment(FAILING)],
        ["0: stopped → failing (No module named 'shop')"],
    ),
    "it fails, is tried once more and fails again": (
        [
            Moment(FAILING, reason="No module named 'shop'"),
            Moment(STARTING, 9, reason="attempt 2"),
            Moment(FAILING, reason="No module named 'shop'"),
        ],
        [
            "0: stopped → failing (No module named 'shop')",
            "1: failing → starting (attempt 2)",
            "2: starting → failing (No module named 'shop')",
        ],
    ),
    "an edit is refused while it runs on": (
        [
            Moment(RUNNING, 7),
            Moment(RUNNING, 7, remark="edit refused: line 3"),
            Moment(RUNNING, 7),
        ],
        ["0: stopped → running", "1: running → running (edit refused: line 3)"],
    ),
    "an edit is refused in the moment in which it begins to run": (
        [Moment(STARTING, 7), Moment(RUNNING, 7, reason="answers", remark="edit refused")],
        [
            "0: stopped → starting",
            "1: starting → running (answers)",
            "1: running → running (edit refused)",
        ],
    ),
    "the same edit is refused twice": (
        [Moment(RUNNING, 7), *[Moment(RUNNING, 7, remark="edit refused")] * 2],
        [
            "0: stopped → running",
            "1: running → running (edit refused)",
            "2: running → running (edit refused)",
        ],
    ),
    "an edit is refused while it begins to fail for another reason": (
        [
            Moment(FAILING, 7, reason="all threads are busy"),
            Moment(FAILING, 7, reason="its worker is halted", remark="edit refused"),
        ],
        [
            "0: stopped → failing (all threads are busy)",
            "1: failing → failing (its worker is halted)",
            "1: failing → failing (edit refused)",
        ],
    ),
    "its Emperor goes and comes back": (
        [Moment(RUNNING, 7), Moment(WAITING), Moment(STARTING), Moment(RUNNING, 9)],
        [
            "0: stopped → running",
            "1: running → waiting",
            "2: waiting → starting",
            "3: starting → running",
        ],
    ),
}


@pytest.mark.parametrize(("moments", "events"), STORIES.values(), ids=STORIES)
def test_what_is_seen_becomes_what_is_told(moments: list[Moment], events: list[str]) -> None:
    assert words(told(moments)) == events


def test_what_was_there_before_is_not_told() -> None:
    """Only what comes after it is, as a change of it."""
    history = History()
    history.begin("a", Moment(RUNNING, 7, 2))
    assert history.note("a", Moment(RUNNING, 7, 2), 1.0) == []
    assert history.note("a", Moment(STOPPING, 7, 2), 2.5) == [
        Event("a", RUNNING, STOPPING, 2.5, "", 7)
    ]


def test_acts_have_histories_of_their_own() -> None:
    history = History()
    assert history.last("b") == Moment(STOPPED)
    history.begin("a", Moment(RUNNING, 7))
    assert history.note("b", Moment(RUNNING, 9), 1.0) == [Event("b", STOPPED, RUNNING, 1.0, "", 9)]
    assert history.note("a", Moment(RUNNING, 7), 1.0) == []
    assert dict(history.states()) == {"a": RUNNING, "b": RUNNING}
    assert history.last("a") == Moment(RUNNING, 7)
    assert history.last("b") == Moment(RUNNING, 9)


moments = st.builds(
    Moment,
    state=st.sampled_from(State),
    pid=st.sampled_from([None, 7, 9]),
    reloads=st.integers(0, 2),
    reason=st.sampled_from(["", "one", "other"]),
    remark=st.sampled_from(["", "", "refused"]),
)
# No test fails because the machine is busy, or leaves a file.
unhurried = settings(
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)


@unhurried
@given(st.lists(moments))
def test_events_chain(seen: list[Moment]) -> None:
    """Each begins where the last has ended, and the last one ends where the Act is."""
    events = told(seen)
    states = [STOPPED, *(event.after for event in events)]
    assert [event.before for event in events] == states[:-1]
    assert states[-1] is (seen[-1].state if seen else STOPPED)
    assert [event.at for event in events] == sorted(event.at for event in events)


@unhurried
@given(st.lists(moments))
def test_every_event_tells_something(seen: list[Moment]) -> None:
    """A change of the state, or in words what else is new."""
    assert all(event.before is not event.after or event.reason for event in told(seen))


@unhurried
@given(st.lists(moments))
def test_what_changes_is_told(seen: list[Moment]) -> None:
    """Also a state that no look fell into, and each remark as often as it was made."""
    events = told(seen)
    for at, (before, now) in enumerate(pairwise([Moment(STOPPED), *seen])):
        now_told = [event for event in events if event.at == at]
        assert any(event.after is now.state for event in now_told) or before.state is now.state
        remarks = [event for event in now_told if event.reason == "refused"]
        assert len(remarks) == bool(now.remark)
        if before.pid and now.pid and before.pid != now.pid and now.state is RUNNING:
            assert now_told
