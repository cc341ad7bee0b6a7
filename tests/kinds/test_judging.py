"""Observations of an Act, and the resulting states."""

from __future__ import annotations

from dataclasses import replace

import pytest

from backstage.facts.sightings import Penalty, Sighting, Vassal, Workforce
from backstage.facts.states import State
from backstage.kinds.daemon import DAEMON
from backstage.kinds.judging import could_answer, judge
from backstage.kinds.wsgi import WSGI

NEW = Vassal(pid=7, ready=False, accepting=False, cursed=False, on_demand=False, respawns=0)
UP = replace(NEW, ready=True, accepting=True)
LOADING = replace(NEW, ready=True)
AGAIN = replace(NEW, respawns=2)
AGAIN_UP = replace(UP, respawns=2)
ASLEEP = replace(NEW, on_demand=True, pid=-1)
AWAKE = replace(UP, on_demand=True)
DYING = replace(UP, cursed=True)
PENALTY = Penalty(attempts=3, retry_at=1_800_000_000.5)

IDLE = Workforce(threads=4, busy=1)
FULL = Workforce(threads=4, busy=4)
REPLACED = Workforce(threads=0, busy=0, loading=1)
PARTLY_REPLACED = Workforce(threads=4, busy=4, loading=1)
HALTED = Workforce(threads=0, busy=0, halted=1)
PARTLY_HALTED = Workforce(threads=4, busy=0, halted=1)
REPLACED_AND_HALTED = Workforce(threads=0, busy=0, loading=1, halted=1)
CHEAP = Workforce(threads=0, busy=0, asleep=2)
PARTLY_CHEAP = Workforce(threads=4, busy=0, asleep=1)
UNMANNED = Workforce(threads=0, busy=0, intended=False)
WAKING = Workforce(threads=0, busy=0, loading=1, asleep=1)
NOBODY = Workforce(threads=0, busy=0)
OFTEN_REPLACED = replace(REPLACED, respawns=2)


def unwanted(
    vassal: Vassal | None = None,
    *,
    emperor: bool = True,
    penalty: Penalty | None = None,
    workforce: Workforce | None = None,
    answers: bool | None = None,
) -> Sighting:
    """An Act without a vassal file."""
    return Sighting(
        wanted=False,
        emperor=emperor,
        vassal=vassal,
        penalty=penalty,
        workforce=workforce,
        answers=answers,
    )


def orphaned(workforce: Workforce | None = None, *, answers: bool | None = None) -> Sighting:
    """An Act that should run, without an Emperor to read its file."""
    return Sighting(wanted=True, emperor=False, workforce=workforce, answers=answers)


def wanted(
    vassal: Vassal | None = None,
    workforce: Workforce | None = None,
    *,
    penalty: Penalty | None = None,
    alive: bool = True,
    answers: bool | None = None,
    reloading: bool = False,
    deaths: int = 0,
) -> Sighting:
    """An Act that should run, with an Emperor."""
    return Sighting(
        wanted=True,
        emperor=True,
        vassal=vassal,
        penalty=penalty,
        workforce=workforce,
        alive=alive,
        answers=answers,
        reloading=reloading,
        deaths=deaths,
    )


@pytest.mark.parametrize(
    ("seen", "state"),
    [
        # No vassal file: only its remaining processes count.
        (unwanted(emperor=False), State.STOPPED),
        (unwanted(answers=False), State.STOPPED),
        (unwanted(penalty=PENALTY), State.STOPPED),
        (unwanted(answers=True), State.STOPPED),
        (unwanted(UP, answers=True), State.STOPPING),
        (unwanted(UP, workforce=IDLE), State.STOPPING),
        (unwanted(DYING, answers=False), State.STOPPING),
        (unwanted(ASLEEP), State.STOPPING),
        (unwanted(workforce=IDLE), State.STOPPING),
        (unwanted(emperor=False, workforce=IDLE), State.STOPPING),
        # A vassal file without an Emperor: a surviving vassal may still serve.
        (orphaned(), State.WAITING),
        (orphaned(answers=False), State.WAITING),
        (orphaned(IDLE), State.RUNNING),
        (orphaned(IDLE, answers=False), State.WAITING),
        (orphaned(FULL), State.WAITING),
        (orphaned(FULL, answers=True), State.RUNNING),
        (orphaned(HALTED), State.WAITING),
        (orphaned(NOBODY), State.WAITING),
        (orphaned(answers=True), State.RUNNING),
        # Not in the Emperor's list: new, or on its blacklist.
        (wanted(), State.STARTING),
        (wanted(answers=True), State.STARTING),
        (wanted(penalty=PENALTY), State.FAILING),
        (wanted(penalty=PENALTY, answers=True), State.FAILING),
        # After a first failure the Emperor does not wait.
        (wanted(penalty=Penalty(attempts=1, retry_at=9.0, last_attempt=9.0)), State.STARTING),
        # In the list; only the Emperor and the port were asked.
        (wanted(NEW, answers=False), State.STARTING),
        (wanted(LOADING, answers=False), State.STARTING),
        (wanted(AGAIN, answers=False), State.RELOADING),
        (wanted(AGAIN, UNMANNED), State.FAILING),
        (wanted(UP, answers=True), State.RUNNING),
        (wanted(LOADING, answers=True), State.RUNNING),
        (wanted(AGAIN, answers=True), State.RUNNING),
        (wanted(UP, answers=False), State.FAILING),
        (wanted(UP, penalty=PENALTY, answers=True), State.RUNNING),
        (wanted(DYING, answers=True), State.STOPPING),
        (wanted(ASLEEP, answers=False), State.SLEEPING),
        (wanted(ASLEEP), State.SLEEPING),
        (wanted(AWAKE, answers=True), State.RUNNING),
        (wanted(replace(ASLEEP, cursed=True), answers=False), State.STOPPING),
        # Without an address, only the Emperor's report counts.
        (wanted(UP), State.RUNNING),
        (wanted(NEW), State.STARTING),
        (wanted(AGAIN), State.RELOADING),
        # Its master has reported the workers.
        (wanted(UP, IDLE), State.RUNNING),
        (wanted(UP, IDLE, answers=False), State.FAILING),
        (wanted(AGAIN_UP, IDLE), State.RUNNING),
        (wanted(AWAKE, IDLE), State.RUNNING),
        (wanted(UP, PARTLY_HALTED), State.RUNNING),
        (wanted(UP, HALTED), State.FAILING),
        # All threads are busy: the port decides.
        (wanted(UP, FULL), State.RUNNING),
        (wanted(UP, FULL, answers=True), State.RUNNING),
        (wanted(UP, FULL, answers=False), State.FAILING),
        (wanted(UP, PARTLY_REPLACED, answers=False), State.FAILING),
        # A lost worker is being replaced, while the Emperor still reports the vassal as accepting.
        (wanted(UP, REPLACED), State.STARTING),
        (wanted(AGAIN_UP, REPLACED), State.STARTING),
        (wanted(UP, REPLACED, answers=False), State.STARTING),
        (wanted(UP, REPLACED_AND_HALTED), State.STARTING),
        # Told to reload, and not by the Emperor.
        (wanted(UP, REPLACED, reloading=True), State.RELOADING),
        (wanted(UP, NOBODY, reloading=True), State.RELOADING),
        (wanted(UP, REPLACED, answers=False, reloading=True), State.RELOADING),
        (wanted(UP, IDLE, reloading=True), State.RUNNING),
        (wanted(UP, NOBODY), State.FAILING),
        # Workers of a vassal that does not accept yet are the old ones.
        (wanted(NEW, IDLE), State.STARTING),
        (wanted(LOADING, IDLE), State.STARTING),
        (wanted(AGAIN, IDLE), State.RELOADING),
        (wanted(AGAIN, REPLACED), State.RELOADING),
        (wanted(AGAIN, NOBODY), State.RELOADING),
        # Workers that repeatedly die before they accept mean failing, …
        (wanted(NEW, REPLACED, deaths=1), State.STARTING),
        (wanted(NEW, REPLACED, deaths=2), State.FAILING),
        (wanted(LOADING, deaths=2), State.FAILING),
        (wanted(AGAIN, deaths=2), State.FAILING),
        (wanted(AGAIN, OFTEN_REPLACED), State.RELOADING),
        # … but old workers, which end last, may have been replaced any number of times.
        (wanted(AGAIN, replace(IDLE, respawns=2)), State.RELOADING),
        (wanted(UP, replace(IDLE, respawns=2)), State.RUNNING),
        (wanted(UP, OFTEN_REPLACED), State.STARTING),
        # Cheap: no worker until a request arrives.
        (wanted(UP, CHEAP), State.SLEEPING),
        (wanted(NEW, CHEAP), State.SLEEPING),
        (wanted(UP, WAKING), State.STARTING),
        (wanted(UP, PARTLY_CHEAP), State.RUNNING),
        # It should run but is dead: about to be replaced, whatever else is reported.
        (wanted(UP, alive=False), State.STARTING),
        (wanted(UP, IDLE, alive=False), State.STARTING),
        (wanted(DYING, alive=False), State.STARTING),
        (wanted(AGAIN_UP, answers=True, alive=False), State.STARTING),
        (unwanted(DYING), State.STOPPING),
    ],
)
def test_state_is_what_was_seen(seen: Sighting, state: State) -> None:
    assert judge(seen, WSGI) is state


@pytest.mark.parametrize(
    ("seen", "state"),
    [
        # Daemons are judged by their port, …
        (wanted(NEW, answers=True), State.RUNNING),
        (wanted(AGAIN, answers=True), State.RUNNING),
        (wanted(NEW, answers=False), State.STARTING),
        (wanted(LOADING, answers=False), State.STARTING),
        (wanted(AGAIN, answers=False), State.RELOADING),
        (wanted(UP, answers=False), State.FAILING),
        (wanted(UP, answers=True), State.RUNNING),
        # … or, without a port, by `ready`, which is never reported again after a reload.
        (wanted(NEW), State.STARTING),
        (wanted(LOADING), State.RUNNING),
        (wanted(AGAIN), State.RUNNING),
        (wanted(LOADING, alive=False), State.STARTING),
        (wanted(DYING, answers=True), State.STOPPING),
        (orphaned(answers=True), State.RUNNING),
        (orphaned(answers=False), State.WAITING),
    ],
)
def test_the_workers_of_a_daemon_tell_nothing(seen: Sighting, state: State) -> None:
    assert judge(seen, DAEMON) is state


@pytest.mark.parametrize("emperor", [True, False])
def test_what_is_dead_and_unwanted_is_still_leaving(emperor: bool) -> None:
    """This lasts until the Emperor has forgotten it, or its last process is gone."""
    seen = Sighting(wanted=False, emperor=emperor, vassal=UP if emperor else None, alive=False)
    assert judge(seen, WSGI) is (State.STOPPING if emperor else State.STOPPED)


@pytest.mark.parametrize(
    ("seen", "serves"),
    [
        # The port decides first, …
        (wanted(UP, IDLE, answers=False), False),
        (wanted(UP, HALTED, answers=True), True),
        (wanted(UP, answers=True), True),
        (wanted(UP, answers=False), False),
        # … then a free thread; …
        (wanted(UP, IDLE), True),
        (wanted(UP, replace(IDLE, busy=3)), True),
        (wanted(UP, PARTLY_HALTED), True),
        (wanted(UP, HALTED), False),
        (wanted(UP, REPLACED), False),
        (wanted(UP, CHEAP), False),
        (wanted(UP, NOBODY), False),
        # … without a free thread or a report, only a probe can tell.
        (wanted(UP, FULL), None),
        (wanted(UP), None),
        (orphaned(), None),
    ],
)
def test_a_request_is_answered_where_a_thread_is_free(seen: Sighting, serves: bool | None) -> None:
    assert seen.serves is serves


@pytest.mark.parametrize(
    ("seen", "sensible"),
    [
        (wanted(UP), True),
        (wanted(UP, IDLE), True),
        (wanted(UP, FULL), True),
        (wanted(AWAKE), True),
        # A request would wait in its queue, wake it, or reach another process.
        (wanted(NEW), False),
        (wanted(AGAIN, IDLE), False),
        (wanted(UP, REPLACED), False),
        (wanted(UP, HALTED), False),
        (wanted(UP, CHEAP), False),
        (wanted(ASLEEP), False),
        (wanted(replace(AWAKE, pid=-1)), False),
        (wanted(DYING), False),
        (wanted(UP, IDLE, alive=False), False),
        (wanted(), False),
        (wanted(penalty=PENALTY), False),
        (unwanted(UP), False),
        (unwanted(emperor=False), False),
        # Only the port can tell the state of these.
        (orphaned(), True),
        (orphaned(FULL), True),
    ],
)
def test_a_port_is_asked_only_where_its_answer_can_tell(seen: Sighting, sensible: bool) -> None:
    assert could_answer(seen, WSGI) is sensible


@pytest.mark.parametrize(
    ("seen", "sensible"),
    [
        (wanted(NEW), True),
        (wanted(AGAIN), True),
        (wanted(DYING), False),
        (wanted(ASLEEP), False),
        (wanted(UP, alive=False), False),
    ],
)
def test_a_daemon_is_asked_while_it_lives(seen: Sighting, sensible: bool) -> None:
    assert could_answer(seen, DAEMON) is sensible


@pytest.mark.parametrize(
    ("seen", "healthy", "state"),
    [
        (wanted(UP, IDLE), False, State.UNHEALTHY),
        (wanted(UP, IDLE), True, State.RUNNING),
        (orphaned(IDLE), False, State.UNHEALTHY),
        (wanted(NEW), False, State.STARTING),
        (wanted(AGAIN, IDLE), False, State.RELOADING),
        (wanted(UP, HALTED), False, State.FAILING),
        (wanted(ASLEEP), False, State.SLEEPING),
        (unwanted(UP, workforce=IDLE), False, State.STOPPING),
    ],
)
def test_only_an_act_that_answers_its_port_can_be_unhealthy(
    seen: Sighting, healthy: bool, state: State
) -> None:
    assert judge(replace(seen, healthy=healthy), WSGI) is state
