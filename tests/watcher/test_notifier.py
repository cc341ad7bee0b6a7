"""How the watcher sends: one after the other, a few times, and never in its own way."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from backstage.events.event import Event
from backstage.events.history import Moment
from backstage.facts.notices import Delivery, Notice, Target
from backstage.facts.states import State
from backstage.layout.paths import VenuePaths
from backstage.status import notice_memory
from backstage.system import processes
from backstage.uwsgi import tries
from backstage.uwsgi.tries import Tries
from backstage.watcher import notifier
from backstage.watcher.notifier import Notifier

PAGER, MAIL = Target(command="page"), Target(url="mailto://user:secret@x")


class Clock:
    """The clock that nobody sets, set by the test."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Sent:
    """Stands for the processes that send: what they were given, and what comes of it."""

    def __init__(self) -> None:
        self.all: list[tuple[str, str, list[Target]]] = []
        self.errors: dict[Target, str] = {}
        self.is_over = True
        self.cannot_start = False

    def __call__(self, _: VenuePaths, targets: Sequence[Target], notice: Notice) -> Sent:
        if self.cannot_start:
            raise OSError(11, "no more processes")
        self.all.append((str(notice.kind), notice.act, list(targets)))
        return self

    def end(self) -> list[Delivery]:
        return [Delivery(each, self.errors.get(each, "")) for each in self.all[-1][2]]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(processes, "boot_clock", clock)
    return clock


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> Sent:
    sent = Sent()
    monkeypatch.setattr(notifier, "Sending", sent)
    return sent


@pytest.fixture
def paths(tmp_path: Path) -> VenuePaths:
    paths = VenuePaths(tmp_path)
    paths.own.mkdir()
    paths.run.mkdir()
    return paths


def watching(paths: VenuePaths, *targets: Target) -> Notifier:
    one = Notifier(paths, lambda: targets)
    one.begin({})
    return one


def another(paths: VenuePaths, *targets: Target) -> Notifier:
    """The watcher after one that is gone; it finds the blog as it was."""
    one = Notifier(paths, lambda: targets)
    one.begin({"blog": Moment(State.FAILING)})
    return one


def fails(one: Notifier, act: str = "blog") -> None:
    one.note(Event(act, State.RUNNING, State.FAILING, 0.0, "no module"))


def later(one: Notifier, clock: Clock, seconds: float, *, step: float = 0.5) -> None:
    end = clock.now + seconds
    while clock.now < end:
        clock.now += step
        one.beat()


def test_a_target_that_fails_is_tried_three_times(
    paths: VenuePaths, clock: Clock, sent: Sent, capsys: pytest.CaptureFixture[str]
) -> None:
    """The others only once; without its secret, it is said each time and kept for doctor."""
    one = watching(paths, PAGER, MAIL)
    sent.errors[MAIL] = "no route"
    fails(one)
    later(one, clock, 6)
    assert sent.all == [("trouble", "blog", [PAGER, MAIL])]
    later(one, clock, 1000)
    assert sent.all[1:] == [("trouble", "blog", [MAIL])] * 2
    assert capsys.readouterr().err == "cannot tell mailto://…: no route\n" * 3
    kept = notice_memory.read(paths).failures
    assert [(each.key, each.error) for each in kept] == [(MAIL.key, "no route")]
    assert one.pause == float("inf")


def test_one_that_is_told_later_fails_no_longer(
    paths: VenuePaths, clock: Clock, sent: Sent
) -> None:
    one = watching(paths, MAIL)
    sent.errors[MAIL] = "no route"
    fails(one)
    later(one, clock, 10)
    assert notice_memory.read(paths).failures
    sent.errors.clear()
    later(one, clock, 100)
    assert not notice_memory.read(paths).failures


def test_one_is_sent_after_the_other(paths: VenuePaths, clock: Clock, sent: Sent) -> None:
    """And nothing waits for one that hangs."""
    one = watching(paths, PAGER)
    sent.is_over = False
    for act in ("a", "b", "c"):
        fails(one, act)
    later(one, clock, 30)
    assert [act for _, act, _ in sent.all] == ["a"]
    assert 0 < one.pause < 1
    sent.is_over = True
    later(one, clock, 2)
    assert [act for _, act, _ in sent.all] == ["a", "b", "c"]


def test_what_cannot_be_started_is_a_failure(paths: VenuePaths, clock: Clock, sent: Sent) -> None:
    one = watching(paths, PAGER)
    sent.cannot_start = True
    fails(one)
    later(one, clock, 1000)
    assert [each.error for each in notice_memory.read(paths).failures] == [
        "[Errno 11] no more processes"
    ]
    assert one.pause == float("inf")


def test_without_targets_nothing_is_sent_and_nothing_is_due(
    paths: VenuePaths, clock: Clock, sent: Sent
) -> None:
    """Until somebody is named."""
    targets: list[Target] = []
    one = Notifier(paths, lambda: targets)
    fails(one)
    later(one, clock, 60)
    assert (sent.all, one.pause) == ([], float("inf"))
    targets.append(PAGER)
    later(one, clock, 2)
    assert sent.all == [("trouble", "blog", [PAGER])]


def test_what_people_know_is_kept(paths: VenuePaths, clock: Clock, sent: Sent) -> None:
    """A watcher that is killed and another that finds the Act well say it is over, once."""
    one = watching(paths, PAGER)
    fails(one)
    later(one, clock, 10)
    again = Notifier(paths, lambda: [PAGER])
    again.begin({"blog": Moment(State.RUNNING)})
    later(again, clock, 60)
    assert [kind for kind, _, _ in sent.all] == ["trouble", "over"]
    last = Notifier(paths, lambda: [PAGER])
    last.begin({"blog": Moment(State.RUNNING)})
    later(last, clock, 60)
    assert len(sent.all) == 2


def test_what_was_not_delivered_outlives_the_watcher(
    paths: VenuePaths, clock: Clock, sent: Sent
) -> None:
    """For the targets that still miss it, as often as was left; also if it is killed meanwhile."""
    one = watching(paths, PAGER, MAIL)
    sent.errors[MAIL] = "no route"
    fails(one)
    later(one, clock, 10)
    assert len(sent.all) == 1
    sent.is_over = False
    later(another(paths, PAGER, MAIL), clock, 10)
    assert sent.all[1:] == [("trouble", "blog", [MAIL])]
    sent.is_over = True
    # Nobody is named while venue.yaml cannot be read.
    later(another(paths), clock, 10)
    assert len(sent.all) == 2
    again = another(paths, PAGER, MAIL)
    later(again, clock, 1000)
    assert sent.all[2:] == [("trouble", "blog", [MAIL])] * 2
    later(another(paths, PAGER, MAIL), clock, 1000)
    assert len(sent.all) == 4
    assert again.pause == float("inf")


def test_who_is_named_no_longer_is_not_told(paths: VenuePaths, clock: Clock, sent: Sent) -> None:
    one = watching(paths, MAIL)
    sent.errors[MAIL] = "no route"
    fails(one)
    later(one, clock, 10)
    again = another(paths, PAGER)
    later(again, clock, 1000)
    assert len(sent.all) == 1
    assert not notice_memory.read(paths).undelivered
    assert again.pause == float("inf")


def test_that_there_are_too_many_is_said_once_though_the_watcher_is_another(
    paths: VenuePaths, clock: Clock, sent: Sent
) -> None:
    acts = [f"act{number:02}" for number in range(30)]
    states = dict.fromkeys(acts, Moment(State.FAILING))
    for _ in range(3):
        one = Notifier(paths, lambda: [PAGER])
        one.begin(states)
        later(one, clock, 60)
    assert [kind for kind, _, _ in sent.all].count("held") == 1
    assert len(sent.all) == 21


def test_a_boot_ends_no_silence(paths: VenuePaths, clock: Clock, sent: Sent) -> None:
    """The clock begins anew with it; nothing waits for its old time."""
    one = watching(paths, PAGER)
    acts = [f"act{number:02}" for number in range(30)]
    for act in acts:
        fails(one, act)
    later(one, clock, 60)
    assert len(sent.all) == 21
    clock.now = 5.0
    again = Notifier(paths, lambda: [PAGER])
    again.begin(dict.fromkeys(acts, Moment(State.FAILING)))
    later(again, clock, 60)
    assert [act for _, act, _ in sent.all[21:]] == acts[20:]


def test_an_act_that_was_given_up_is_told_why(paths: VenuePaths, clock: Clock, sent: Sent) -> None:
    act = paths.act("blog")
    tries.record(act, Tries(None, count=3, gave_up="no module"))
    one = watching(paths, PAGER)
    one.note(Event("blog", State.FAILING, State.STOPPED, 0.0, ""))
    later(one, clock, 10)
    assert [kind for kind, _, _ in sent.all] == ["trouble"]
    (trouble,) = notice_memory.read(paths).troubles.values()
    assert trouble.reason == tries.given_up(act)
