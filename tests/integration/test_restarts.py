"""Restarts of real Acts: new code on the same socket, while other workers answer."""

from __future__ import annotations

import time

import psutil
import pytest

from backstage.act import Act
from backstage.cli.exits import Exit
from backstage.facts.states import State
from backstage.shortcuts import new_act
from backstage.system import processes
from backstage.venue import Venue

from .calling import add_view, call
from .conftest import MakeVenue, fetch
from .visiting import visited


@pytest.fixture
def own(venue: Venue, fresh_name: str) -> Act:
    """An Act for one test."""
    return new_act(venue, fresh_name)


def test_a_restart_runs_new_code_on_the_same_socket(own: Act) -> None:
    assert fetch(own)[0] == 200, "Django has read its urls"
    add_view(own, "version", "view = lambda request: HttpResponse('new')")
    assert fetch(own, "version")[0] == 404
    pid = own.pid
    own.restart()
    assert fetch(own, "version") == (200, "new")
    assert own.pid == pid, "the master, which holds the socket, stayed"


@pytest.mark.slow
def test_a_restart_knows_workers_that_only_a_crowd_calls(own: Act) -> None:
    """uWSGI's `cheaper` keeps most of the workers from being there at all."""
    text = own.vassal_text
    own.rewrite(f"{text}processes = 3\ncheaper = 1\n", based_on=text)
    before = own.pid
    workers = set(processes.family(before or 0)[1:])
    own.restart()
    assert own.pid == before
    assert not processes.running(workers)
    assert fetch(own)[0] == 200


@pytest.mark.slow
def test_a_restart_knows_workers_that_only_a_request_calls(own: Act) -> None:
    text = own.vassal_text
    own.rewrite(f"{text}cheap = true\n", based_on=text)
    add_view(own, "fresh", "def view(request):\n    return HttpResponse('fresh')")
    own.restart()
    assert fetch(own, "fresh") == (200, "fresh")


@pytest.mark.slow
def test_a_restart_waits_for_an_application_that_loads_long(own: Act) -> None:
    """Longer than a reload that may be lost is waited for; it must not be asked for again."""
    wsgi = own.paths.top / own.name / "wsgi.py"
    wsgi.write_text("import time\ntime.sleep(5)\n" + wsgi.read_text())
    begun = len(own.paths.log.read_text())
    own.restart()
    assert own.paths.log.read_text()[begun:].count("spawned uWSGI worker 1") == 1
    assert fetch(own)[0] == 200


@pytest.mark.slow
@pytest.mark.parametrize(
    ("early_signals", "pauses"),
    [(True, (0.0, 0.05, 0.15, 0.2, 0.25, 0.3, 0.4)), (False, (0.1, 0.2))],
)
def test_a_restart_in_the_middle_of_a_start_runs_the_newest_code(
    make_venue: MakeVenue, early_signals: bool, pauses: tuple[float, ...]
) -> None:
    """Also with a template of one's own, where uWSGI does not notice every reload."""
    venue = make_venue()
    act = new_act(venue, "blog")
    if not early_signals:
        template = venue.paths.templates / "django.ini"
        lines = template.read_text().splitlines(keepends=True)
        template.write_text("".join(line for line in lines if "early_signals" not in line))
    add_view(act, "mark", "view = lambda request: HttpResponse('0')")
    mark = act.paths.top / act.name / "mark.py"
    wsgi = act.paths.top / act.name / "wsgi.py"
    # Read once, when the application is loaded, and not with the first request.
    wsgi.write_text(f"import {act.name}.mark\n" + wsgi.read_text())
    act.restart()
    for number, pause in enumerate(pauses, start=1):
        act.stop()
        act.start(wait=None)
        time.sleep(pause)
        # Longer each time: Python tells bytecode from another second or of another length apart.
        answer = "x" * number
        mark.write_text(
            f"from django.http import HttpResponse\nview = lambda r: HttpResponse('{answer}')\n"
        )
        act.restart()
        assert fetch(act, "mark") == (200, answer)


@pytest.mark.slow
def test_several_workers_are_replaced_one_after_the_other(own: Act) -> None:
    """Others answer meanwhile. After an edit of the vassal file, the master must read it first."""
    own.rewrite(own.vassal_text + "processes = 3\n", based_on=own.vassal_text)
    record = own.paths.loaded
    for edited in (False, True):
        if edited:
            own.paths.vassal.write_text(own.vassal_text + "harakiri = 50\n")
        before, workers = record.stat().st_ino, set(psutil.Process(own.pid).children())
        with visited(lambda: fetch(own)[0], visitors=2) as counts:
            own.restart()
        assert counts["answered"]
        assert not counts["failed"]
        children = psutil.Process(own.pid).children()
        assert len(children) == 3
        assert workers.isdisjoint(children)
        # The master writes a new record when it has read its files.
        assert (record.stat().st_ino != before) == edited
        assert own.snapshot().untaken is None


@pytest.mark.slow
def test_all_at_once(make_venue: MakeVenue) -> None:
    venue = make_venue()
    acts = [new_act(venue, name, start=False) for name in ("one", "two", "three")]
    assert [act.state for act in acts] == [State.STOPPED] * 3
    venue.start_all_acts()
    assert [act.state for act in venue] == [State.RUNNING] * 3
    acts[1].stop()
    venue.restart_all_acts()
    assert [act.state for act in acts] == [State.RUNNING, State.STOPPED, State.RUNNING]
    with (acts[2].paths.top / "three" / "settings.py").open("a") as settings:
        settings.write("import stripe\n")
    before = [{*processes.family(act.pid or 0)[1:]} for act in acts]
    done = call("restart", "--all", cwd=venue.path)
    assert done.returncode == Exit.CHECK
    # However many Acts it is above.
    assert done.stderr == "1 of 2 failed: three\n"
    assert [act.state for act in acts] == [State.RUNNING, State.STOPPED, State.RUNNING]
    after = [{*processes.family(act.pid or 0)[1:]} for act in acts]
    assert not before[0] & after[0]
    assert before[2] == after[2]
    venue.stop_all_acts()
    assert [act.state for act in venue] == [State.STOPPED] * 3
    assert len(venue) == 3
