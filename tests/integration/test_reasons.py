"""Why an Act does not run, or cannot be acted on: each cause is told by every way of asking."""

from __future__ import annotations

import os
import re
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from backstage.act import Act
from backstage.errors import ActFailed, EmperorFailed, NotInTime, PortUnavailable
from backstage.events.event import Event
from backstage.events.streams import EventStream
from backstage.facts.states import State
from backstage.shortcuts import new_act, use_venue
from backstage.system.deadlines import Deadline, until
from backstage.uwsgi.emperor import Emperor
from backstage.venue import Venue
from tests.patience import PATIENCE

from .conftest import MakeVenue, fetch, processes_within
from .listening import Listener

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def act(venue: Venue) -> Iterator[Act]:
    act = new_act(venue, "reasoned")
    yield act
    act.retire()


@pytest.fixture
def stopped(act: Act) -> Iterator[Act]:
    """The Act, stopped; it runs again after the test, which has put back what it took."""
    act.stop()
    text = act.paths.kept.read_text()
    yield act
    act.stop()
    act.paths.kept.write_text(text)


def told(act: Act) -> str:
    """The reason in the error of a start, which an event and the snapshot tell too."""
    with use_venue(act.paths.venue.top) as venue, venue.events() as stream:
        return told_to(Listener(act, stream))


def told_to(listener: Listener) -> str:
    act = listener.act
    with pytest.raises(ActFailed) as caught:
        act.start()
    assert not isinstance(caught.value, NotInTime)
    reason = caught.value.reason
    assert without_pids(listener.until(State.FAILING)[-1].reason) == without_pids(reason)
    assert until(lambda: act.state is State.FAILING, Deadline(PATIENCE))
    told = until(
        lambda: without_pids(act.snapshot().reason) == without_pids(reason), Deadline(PATIENCE)
    )
    assert told, (act.snapshot().reason, reason)
    return reason


def without_pids(text: str) -> str:
    """Each try has other processes."""
    return re.sub(r"pid \d+", "pid", text)


def test_a_project_directory_that_is_gone_is_named(stopped: Act, tmp_path: Path) -> None:
    top = stopped.paths.top
    shutil.move(top, tmp_path / "away")
    try:
        reason = told(stopped)
        assert reason.startswith("templates/django.ini, line ")
        assert f"there is no directory {top}; " in reason
        assert reason.endswith(f"backstage retire {stopped.name}")
    finally:
        shutil.move(tmp_path / "away", top)


def test_a_link_to_the_file_of_another_act_is_called_one(
    venue: Venue, act: Act, fresh_name: str
) -> None:
    act.start()
    link = venue.paths.act(fresh_name)
    link.vassal.symlink_to(act.paths.vassal.name)
    venue.emperor.wake()
    linked = venue[fresh_name]
    reason = (
        f"there is no directory {link.top}; vassals/{fresh_name}.ini is only a link to the file of "
        f"the Act {act.name}"
    )
    try:
        assert until(lambda: linked.snapshot().reason.endswith(reason), Deadline(PATIENCE))
        with pytest.raises((PortUnavailable, ActFailed)) as caught:
            linked.start()
    finally:
        link.vassal.unlink()
        linked.wait(State.STOPPED, PATIENCE)
    # If the Emperor is just trying it, that failure is told.
    assert f"taken by the Act {act.name} (pid " in str(caught.value) or reason in str(caught.value)


def test_an_environment_that_is_gone_is_named(stopped: Act, tmp_path: Path) -> None:
    kept, text = stopped.paths.kept, stopped.paths.kept.read_text()
    line = len(text.splitlines()) + 1
    where = f"vassals/{stopped.name}.ini, line {line}: there is no"
    kept.write_text(f"{text}virtualenv = {tmp_path}/none\n")
    assert told(stopped) == f"{where} virtual environment {tmp_path}/none"
    stopped.stop()
    (tmp_path / "env/bin").mkdir(parents=True)
    (tmp_path / "env/bin/python").symlink_to("/no/such/python")
    kept.write_text(f"{text}virtualenv = {tmp_path}/env\n")
    expected = f"interpreter {tmp_path}/env/bin/python, as it is a link to /no/such/python"
    assert told(stopped) == f"{where} {expected}, which is gone"


def test_a_uwsgi_that_is_gone_or_cannot_be_executed_is_named(make_venue: MakeVenue) -> None:
    venue = make_venue()
    act = new_act(venue, "blog")
    act.stop()
    program = venue.path / "bin/uwsgi"
    away = program.rename(program.with_name("uwsgi.away"))
    try:
        assert told(act) == f"{program}: does not exist; no Act can start"
        act.stop()
        program.write_text("#!/no/such/interpreter\n")
        program.chmod(0o755)
        assert told(act).startswith(f"{program}: ")
    finally:
        away.rename(program)
    act.start()
    assert act.snapshot().reason == ""


@pytest.mark.parametrize(
    ("code", "option", "reason"),
    [
        ("os.kill(os.getpid(), 9)", "", "worker 1 (pid) was killed by signal 9"),
        ("os._exit(0)", "", "worker 1 (pid) ended by itself"),
        ("sys.exit(4)", "", "worker 1 (pid) ended by itself"),
        ("os.kill(os.getppid(), 9)", "", "the master (pid) was killed"),
        ("os._exit(3)", "lazy-apps = false", "uWSGI (pid) ended without a word while it started"),
    ],
)
def test_an_act_that_ends_itself_is_failing(
    venue: Venue, stopped: Act, code: str, option: str, reason: str
) -> None:
    wsgi = stopped.paths.top / stopped.name / "wsgi.py"
    text = wsgi.read_text()
    wsgi.write_text(f"import os, sys\n{code}\n")
    stopped.paths.kept.write_text(f"{stopped.paths.kept.read_text()}{option}\n")
    try:
        with venue.events() as stream:
            assert without_pids(told_to(Listener(stopped, stream))) == reason
            # A master that lives tries again and again, and the Act stays failing.
            before = deaths(stopped)
            if reason.startswith("worker"):
                assert until(lambda: deaths(stopped) > before + 2, Deadline(PATIENCE))
                assert {event.after for event in heard(stream)} <= {State.FAILING}
    finally:
        wsgi.write_text(text)


def deaths(act: Act) -> int:
    """How many workers have died, according to the end of its log."""
    return act.log_tail(2000).count("DAMN !")


def heard(stream: EventStream) -> Iterator[Event]:
    while event := stream.next_within(0):
        yield event


def test_a_halted_master_is_told_and_what_to_type(act: Act, venue: Venue) -> None:
    act.start()
    pid = act.pid
    assert pid
    remedy = f"its master (pid {pid}) is halted by a signal; type: kill -CONT {pid}"
    with venue.events() as stream:
        os.kill(pid, signal.SIGSTOP)
        try:
            seen = Listener(act, stream).sees(State.RUNNING)
            assert seen[0].reason == remedy
            assert (act.state, act.snapshot().reason) == (State.RUNNING, remedy)
            assert fetch(act)[0] == 200
            with pytest.raises(ActFailed, match=f"cannot be restarted: .*kill -CONT {pid}"):
                act.restart()
            with pytest.raises(NotInTime, match=f"kill -CONT {pid}"):
                act.stop(wait=0.1)
        finally:
            os.kill(pid, signal.SIGCONT)
    act.stop()
    act.start()
    assert act.snapshot().reason == ""


@pytest.mark.parametrize("count", [1, 2])
def test_a_start_does_not_wait_for_halted_workers(act: Act, count: int) -> None:
    """They cannot go on, so the start says at once what to type; a restart replaces them."""
    act.start()
    before = act.vassal_text
    act.rewrite(f"{before}processes = {count}\n", based_on=before)
    master = act.pid
    assert master
    workers = sorted(child.pid for child in psutil.Process(master).children())
    assert len(workers) == count
    for worker in workers:
        os.kill(worker, signal.SIGSTOP)
    assert until(lambda: act.state is State.FAILING, Deadline(PATIENCE))
    told = "its worker (pid " if count == 1 else "its workers (pid "
    with pytest.raises(ActFailed, match=f"cannot go on: {re.escape(told)}.*kill -CONT") as caught:
        act.start(wait=10 * PATIENCE)
    assert {str(worker) for worker in workers} <= {*str(caught.value).split()}
    act.restart()
    assert act.state is State.RUNNING
    act.rewrite(before, based_on=act.vassal_text)


def test_a_halted_emperor_is_told_and_what_to_type(make_venue: MakeVenue) -> None:
    venue = make_venue()
    act = new_act(venue, "blog")
    pid = venue.emperor.pid
    assert pid
    remedy = f"the Emperor (pid {pid}) is halted by a signal; type: kill -CONT {pid}"
    verbs: list[Callable[[], object]] = [act.start, act.stop, act.restart, act.retire, venue.start]
    with venue.events() as stream:
        os.kill(pid, signal.SIGSTOP)
        assert Listener(act, stream).sees(State.RUNNING)[0].reason == remedy
        assert act.snapshot().reason == remedy
        for verb in verbs:
            with pytest.raises(EmperorFailed) as caught:
                verb()
            assert str(caught.value) == remedy
        assert fetch(act)[0] == 200
        os.kill(pid, signal.SIGCONT)
        assert until(lambda: act.snapshot().reason == "", Deadline(PATIENCE))
        act.restart()
    os.kill(pid, signal.SIGSTOP)
    venue.stop()
    assert not Emperor(venue.paths).pid
    assert not processes_within(venue.path)


def test_a_port_that_another_act_has_names_that_act(
    venue: Venue, stopped: Act, fresh_name: str
) -> None:
    other = new_act(venue, fresh_name)
    port = other.get_uwsgi_port()
    kept = stopped.paths.kept
    kept.write_text(kept.read_text().replace(str(stopped.get_uwsgi_port()), str(port)))
    with pytest.raises(PortUnavailable, match=f"port {port} is taken by the Act {fresh_name} "):
        stopped.start()
    # An operator who writes the file asks nobody.
    shutil.copy(kept, stopped.paths.vassal)
    venue.emperor.wake()
    held = f"port {port} is taken by the Act {fresh_name} "
    # Between two tries there is no reason.
    assert until(lambda: stopped.snapshot().reason.startswith(held), Deadline(PATIENCE))
    with pytest.raises(ActFailed, match=held):
        stopped.restart()
    other.retire()
