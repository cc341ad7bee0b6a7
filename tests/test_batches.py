"""One verb for several Acts: side by side or rolling, each with its outcome."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator
from dataclasses import replace
from typing import cast

import pytest

from backstage.act import Act
from backstage.batches import Verb, carry_out, restarts_at_once
from backstage.errors import ActFailed
from backstage.facts.snapshots import Snapshot
from backstage.facts.states import State
from backstage.system.deadlines import Deadline, until
from tests.patience import PATIENCE

from .seen import IDLE


class Dummy:
    """Counts how many like it are at work at the same time; goes on when it is let."""

    at_work = 0
    most = 0
    lock = threading.Lock()

    def __init__(self, name: str, *, error: BaseException | None = None) -> None:
        self.name = name
        self.state = State.STOPPED
        self.go = threading.Event()
        self.begun = threading.Event()
        self._error = error

    def start(self, wait: float | None) -> None:
        with Dummy.lock:
            Dummy.at_work += 1
            Dummy.most = max(Dummy.most, Dummy.at_work)
        self.begun.set()
        try:
            assert self.go.wait(60.0)
            if self._error:
                raise self._error
            self.state = State.RUNNING
        finally:
            with Dummy.lock:
                Dummy.at_work -= 1

    drain = undrain = start

    def stop(self, wait: float | None, *, drain: float) -> None:
        assert drain == 0
        self.start(wait)

    def restart(self, wait: float | None, *, check: bool) -> None:
        assert check
        self.start(wait)

    def snapshot(self) -> Snapshot:
        return replace(IDLE, name=self.name, state=self.state)


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    Dummy.at_work = Dummy.most = 0
    yield
    assert until(lambda: Dummy.at_work == 0, Deadline(PATIENCE))


def acts(*dummies: Dummy) -> list[Act]:
    return cast(list[Act], list(dummies))


def test_outcomes_come_as_they_are_known_and_failures_keep_nobody_from_it() -> None:
    slow, broken, quick = (
        Dummy("slow"),
        Dummy("broken", error=ActFailed("broken", "fails")),
        Dummy("q"),
    )
    outcomes = carry_out(Verb.START, acts(slow, broken, quick), 1.0)
    quick.go.set()
    first = next(outcomes)
    assert (first.now.name, first.now.state, first.error) == ("q", State.RUNNING, None)
    broken.go.set()
    second = next(outcomes)
    assert (second.now.name, str(second.error)) == ("broken", "Act 'broken' fails")
    slow.go.set()
    assert [outcome.now.name for outcome in outcomes] == ["slow"]


MB = 1_000_000


@pytest.mark.parametrize(
    ("memory", "processors", "free", "expected"),
    [
        ([50 * MB] * 7, 2, 4000 * MB, 2),
        ([50 * MB] * 7, 1, 4000 * MB, 1),
        # Visitors need processors too.
        ([50 * MB] * 7, 64, 4000 * MB, 4),
        # The largest may come together, and what else needs memory must not run out of it.
        ([50 * MB, 900 * MB, 50 * MB, 900 * MB], 4, 4000 * MB, 4),
        ([50 * MB, 900 * MB, 50 * MB, 900 * MB], 4, 3600 * MB, 2),
        ([50 * MB, 900 * MB, 50 * MB, 900 * MB], 4, 1900 * MB, 1),
        ([50 * MB], 4, -1, 1),
        ([], 4, 0, 4),
    ],
)
def test_restarts_leave_room(memory: list[int], processors: int, free: int, expected: int) -> None:
    assert restarts_at_once(memory, processors, free) == expected


@pytest.mark.parametrize(
    ("verb", "options", "most"),
    [(Verb.START, {}, 4), (Verb.STOP, {}, 4), (Verb.RESTART, {"at_once": 2}, 2)],
)
def test_several_go_side_by_side(verb: Verb, options: dict[str, int], most: int) -> None:
    dummies = [Dummy(f"a{n}") for n in range(6)]
    outcomes = carry_out(verb, acts(*dummies), None, **options)  # type: ignore[arg-type]
    starter = threading.Thread(target=lambda: [None for _ in outcomes])
    starter.start()
    assert until(lambda: Dummy.at_work == most, Deadline(PATIENCE))
    for dummy in dummies:
        dummy.go.set()
    starter.join(60.0)
    assert not starter.is_alive()
    assert Dummy.most == most


def test_who_leaves_early_lets_no_further_act_begin() -> None:
    dummies = [Dummy("a"), Dummy("b"), Dummy("c")]
    dummies[0].go.set()
    outcomes = carry_out(Verb.RESTART, acts(*dummies), None, at_once=1)
    next(outcomes)
    assert dummies[1].begun.wait(60.0)
    assert isinstance(outcomes, Generator)
    outcomes.close()
    dummies[1].go.set()
    assert until(lambda: dummies[1].state is State.RUNNING, Deadline(PATIENCE))
    assert not dummies[2].begun.wait(0.2)


@pytest.mark.parametrize("error", [ZeroDivisionError(), IndexError()])
def test_what_nobody_expected_is_raised(error: Exception) -> None:
    broken = Dummy("broken", error=error)
    broken.go.set()
    with pytest.raises(type(error)):
        list(carry_out(Verb.START, acts(broken), None))


def test_nothing_to_do_is_done() -> None:
    assert list(carry_out(Verb.START, [], None)) == []
