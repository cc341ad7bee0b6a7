"""Acts under a real Emperor: started, restarted and stopped on the fly."""

from __future__ import annotations

import http.client
import os
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from backstage.act import Act
from backstage.errors import ActFailed, NoSuchAct, NotInTime, PortUnavailable
from backstage.facts.states import State
from backstage.layout.paths import ActPaths
from backstage.shortcuts import new_act
from backstage.system import processes, sockets
from backstage.system.deadlines import Deadline, until
from backstage.uwsgi.emperor import Emperor
from backstage.uwsgi.resident import locked_act
from backstage.venue import Venue
from tests.own_ports import own_ports
from tests.patience import PATIENCE

from .conftest import MakeVenue, fetch, processes_within
from .visiting import visited


@pytest.fixture(scope="module")
def shared(venue: Venue, tmp_path_factory: pytest.TempPathFactory) -> tuple[Act, Path]:
    """An Act that most tests use, and the file without which its page `long` is not finished."""
    act, gate = new_act(venue, "shared", start=False), tmp_path_factory.mktemp("gate") / "gate"
    wait = f"    while not os.path.exists({str(gate)!r}): time.sleep(0.02)"
    answer = "    return HttpResponse(str(os.getpid()))"
    add_view(act, "long", f"def view(request):\n{wait}\n{answer}")
    return act, gate


@pytest.fixture
def act(shared: tuple[Act, Path]) -> Act:
    """It runs. A test that uses it leaves its files and its vassal file as they were."""
    shared[0].start()
    return shared[0]


@pytest.fixture
def own(venue: Venue, fresh_name: str) -> Act:
    """An Act for one test."""
    return new_act(venue, fresh_name)


def add_view(act: Act, name: str, body: str) -> None:
    """Give an Act a page of its own; seen after a restart."""
    views = act.paths.top / act.name / f"{name}.py"
    views.write_text(f"import os, time\nfrom django.http import HttpResponse\n{body}\n")
    urls = act.paths.top / act.name / "urls.py"
    urls.write_text(
        urls.read_text()
        + f"\nfrom {act.name}.{name} import view as {name}\n"
        + f"urlpatterns.append(path('{name}', {name}))\n"
    )


def test_a_new_act_answers_at_once(venue: Venue, own: Act) -> None:
    assert own.state is State.RUNNING
    status, page = fetch(own)
    assert status == 200
    assert own.name in page
    assert venue.name in page
    assert repr(own) == f"<Act {own.name!r} running, port {own.get_uwsgi_port()}, pid {own.pid}>"
    assert own.name in venue
    assert venue[own.name] == own
    assert own in venue.acts


def test_its_database_is_migrated_and_its_static_files_are_served(act: Act) -> None:
    assert fetch(act, "readyz")[0] == 200
    status, page = fetch(act, "admin/")
    assert status == 200
    assert "Django administration" in page
    assert fetch(act, "static/admin/css/base.css")[0] == 200
    assert fetch(act, "static/welcome.css")[0] == 200


def test_stopped_means_stopped(act: Act) -> None:
    """The port is closed and no process is left when stop returns; the rest stays."""
    port = act.get_uwsgi_port()
    act.stop()
    assert act.state is State.STOPPED
    assert act.pid is None
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=5)
    assert not processes_within(act.paths.top)
    assert act.get_uwsgi_port() == port
    act.start()
    assert fetch(act)[0] == 200
    assert act.get_uwsgi_port() == port


def test_verbs_are_idempotent(act: Act) -> None:
    pid = act.pid
    act.start()
    assert act.pid == pid
    act.stop()
    act.stop()
    assert act.state is State.STOPPED


@pytest.mark.slow
@pytest.mark.parametrize("target", ["itself", "x" * 300])
def test_an_act_whose_vassal_file_leads_nowhere_hides_no_other(
    venue: Venue, act: Act, fresh_name: str, target: str
) -> None:
    """All others are seen and watched; it is stopped until a start puts the kept file back."""
    broken = new_act(venue, fresh_name, start=False)
    broken.paths.vassal.symlink_to(target if target != "itself" else broken.paths.vassal)
    states = {each.name: each.state for each in venue.snapshot()}
    assert (states[act.name], states[broken.name]) == (State.RUNNING, State.STOPPED)
    with venue.events(timeout=PATIENCE) as events:
        act.restart(wait=None, check=False)
        assert next(event for event in events if event.act == act.name)
    new_act(venue, f"{fresh_name}_next", start=False).retire()
    broken.start()
    assert fetch(broken)[0] == 200
    broken.retire()


def test_stopping_blog_leaves_blog2_alone(venue: Venue) -> None:
    blog, blog2 = new_act(venue, "blog"), new_act(venue, "blog2")
    pid = blog2.pid
    blog.stop()
    assert blog.state is State.STOPPED
    assert blog2.state is State.RUNNING
    assert blog2.pid == pid
    blog.retire()
    assert "blog" not in venue
    assert "blog2" in venue
    assert fetch(blog2)[0] == 200


def test_a_restart_runs_new_code_on_the_same_socket(own: Act) -> None:
    assert fetch(own)[0] == 200, "Django has read its urls"
    add_view(own, "version", "view = lambda request: HttpResponse('new')")
    assert fetch(own, "version")[0] == 404
    pid = own.pid
    own.restart()
    assert fetch(own, "version") == (200, "new")
    assert own.pid == pid, "the master, which holds the socket, stayed"


@dataclass(frozen=True)
class Visit:
    """A request under way, which the Act finishes only when the file `gate` is there."""

    act: Act
    gate: Path
    answers: list[tuple[int, str]]
    asking: threading.Thread

    def finish(self) -> None:
        self.gate.touch()
        self.asking.join()


@pytest.fixture
def visit(act: Act, shared: tuple[Act, Path]) -> Iterator[Visit]:
    gate, answers = shared[1], list[tuple[int, str]]()
    gate.unlink(missing_ok=True)

    def ask() -> None:
        with suppress(OSError, http.client.HTTPException):  # it may be killed with its worker
            answers.append(fetch(act, "long"))

    visit = Visit(act, gate, answers, threading.Thread(target=ask))
    visit.asking.start()
    assert until(lambda: act.snapshot().busy == 1, Deadline(PATIENCE))
    yield visit
    visit.finish()


@pytest.mark.slow
def test_a_restart_refuses_nobody_and_finishes_requests_under_way(visit: Visit) -> None:
    act, over = visit.act, threading.Event()
    statuses: list[int] = []

    def keep_asking() -> None:
        while not over.is_set():
            statuses.append(fetch(act, "healthz")[0])

    asking = threading.Thread(target=keep_asking)
    asking.start()
    workers = {child.pid for child in psutil.Process(act.pid).children()}
    act.restart(wait=None)
    assert until(lambda: act.state is State.RELOADING, Deadline(PATIENCE))
    # Time enough to kill the worker, for a reload that has no patience.
    time.sleep(1.5)
    visit.finish()
    act.restart()
    over.set()
    asking.join()
    [(_, answer)] = visit.answers
    assert int(answer) in workers, "answered by the worker that was told to go"
    assert set(statuses) == {200}
    assert not workers & {child.pid for child in psutil.Process(act.pid).children()}


def test_an_edit_that_is_being_taken_does_not_wait(visit: Visit) -> None:
    """While old workers finish their requests, the new file is as good as loaded."""
    act = visit.act
    act.paths.vassal.write_text(act.vassal_text + "# a remark\n")
    assert until(lambda: act.state is State.RELOADING, Deadline(PATIENCE))
    snapshot = act.snapshot()
    assert (snapshot.state, snapshot.untaken) == (State.RELOADING, None)
    visit.finish()
    act.wait(State.RUNNING)


def test_a_stop_finishes_requests_under_way(visit: Visit) -> None:
    [worker] = psutil.Process(visit.act.pid).children()
    visit.act.stop(wait=None)
    # Time enough to kill it, for a stop that would.
    time.sleep(0.5)
    visit.finish()
    visit.act.stop()
    assert visit.answers == [(200, str(worker.pid))]


@pytest.mark.parametrize("verb", ["start", "restart"])
def test_at_once_means_at_once(visit: Visit, verb: str) -> None:
    """Without a wait, nobody waits for the run before, and the Act comes back all the same."""
    act = visit.act
    before = processes.family(act.pid or 0)
    act.stop(wait=None)
    getattr(act, verb)(wait=None)
    assert processes.running(before), "it still has a request to finish"
    assert act.wanted
    visit.finish()
    act.wait(State.RUNNING)
    assert not processes.running(before[:1])


def test_a_start_waits_for_the_run_before_no_longer_than_it_was_told(visit: Visit) -> None:
    visit.act.stop(wait=None)
    with pytest.raises(NotInTime):
        visit.act.start(wait=0.5)


@pytest.fixture
def relaunched(monkeypatch: pytest.MonkeyPatch) -> list[ActPaths]:
    """The Acts whose limits were found to have changed: a restart has to stop them for that."""
    asked: list[ActPaths] = []

    def prepare(act_paths: ActPaths) -> bool:
        asked.append(act_paths)
        return True

    monkeypatch.setattr("backstage.act.launch.prepare", prepare)
    return asked


def test_other_limits_do_not_stop_an_act_that_takes_longer_to_end_than_the_call_waits(
    visit: Visit, relaunched: list[ActPaths]
) -> None:
    """It runs with them as soon as it has finished its request."""
    act, before = visit.act, visit.act.pid
    with pytest.raises(NotInTime, match="has not ended yet"):
        act.restart(wait=0.5, check=False)
    assert act.wanted
    visit.finish()
    act.wait(State.RUNNING)
    assert relaunched == [act.paths]
    pids = {before, act.pid}
    act.restart(check=False)
    assert len(pids | {act.pid}) == 3
    assert fetch(act)[0] == 200


def test_an_interrupted_restart_for_other_limits_leaves_the_act_wanted(
    visit: Visit, relaunched: list[ActPaths], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    for moment in ("await_notice", "await_end"):
        with monkeypatch.context() as patch:
            patch.setattr(f"backstage.act.Waiter.{moment}", interrupt)
            with pytest.raises(KeyboardInterrupt):
                visit.act.restart(check=False)
        assert visit.act.wanted
    visit.finish()
    visit.act.wait(State.RUNNING)


def test_other_limits_are_not_taken_while_the_vassal_file_cannot_work(
    own: Act, relaunched: list[ActPaths]
) -> None:
    """Nor does the faulty file replace the good one that the Act runs with."""
    text, before = own.paths.kept.read_text(), own.pid
    dated = own.paths.vassal.stat().st_mtime_ns
    other = own.paths.vassal.with_name("other.part")
    other.write_text(f"{text}threds = 8\n")
    # The Emperor does not notice it.
    os.utime(other, ns=(dated, dated))
    other.replace(own.paths.vassal)
    with pytest.raises(ActFailed, match=r"keeps running as before.*unknown option 'threds'"):
        own.restart(check=False)
    assert (own.pid, own.paths.kept.read_text(), relaunched) == (before, text, [])
    assert fetch(own)[0] == 200


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


def test_a_retired_act_is_not_started_in_between(own: Act, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever has waited for the lock finds it stopped, retired and with nothing to start from."""
    refused: list[ActFailed] = []

    @contextmanager
    def locked_before_another(act_paths: ActPaths, doing: str) -> Iterator[None]:
        with locked_act(act_paths, doing):
            yield
        monkeypatch.setattr("backstage.act.locked_act", locked_act)
        try:
            own.start()
        except ActFailed as error:
            refused.append(error)

    monkeypatch.setattr("backstage.act.locked_act", locked_before_another)
    goal = own.retire()
    assert [str(error) for error in refused] == [
        f"Act {own.name!r} has no vassal file to start from; "
        f"to make one, call: new_act(venue, {own.name!r})"
    ]
    assert (goal / own.name / "manage.py").is_file()
    assert own.state is State.STOPPED


@pytest.mark.slow
def test_verbs_in_quick_succession_do_what_they_say(own: Act) -> None:
    """The last one counts, however early in the life of the vassal it comes."""
    for pause in (0.0, 0.02, 0.1, 0.2, 0.3):
        own.stop()
        own.start(wait=None)
        time.sleep(pause)
        # Sooner than the Emperor would kill what does not listen.
        own.stop(wait=10)
        assert own.state is State.STOPPED
        assert not processes_within(own.paths.top)
    for pause in (0.0, 0.05, 0.15, 0.3):
        own.stop(wait=None)
        own.start(wait=None)
        time.sleep(pause)
        (own.paths.top / own.name / "mark.py").write_text(f"MARK = {pause}\n")
        own.restart()
        assert own.state is State.RUNNING
        assert fetch(own)[0] == 200
        own.restart()
        own.restart(wait=None)
        own.restart()
        assert fetch(own)[0] == 200


@pytest.mark.slow
def test_a_stop_before_the_vassal_has_begun_stops_no_other(
    make_venue: MakeVenue, tmp_path: Path
) -> None:
    """The Emperor's fork ends every Act if it is told to end, until it becomes the vassal."""
    venue, gate = make_venue(start=False), tmp_path / "gate"
    os.mkfifo(gate)
    ini = venue.paths.emperor_ini
    # The fork waits for a reader of the pipe, without a process of its own.
    ini.write_text(ini.read_text() + f"hook-as-vassal = write:{gate} on\n")
    venue.start()
    reader = os.open(gate, os.O_RDONLY | os.O_NONBLOCK)
    neighbour, act = new_act(venue, "blog"), new_act(venue, "shop", start=False)
    os.close(reader)
    pid = neighbour.pid
    act.start(wait=None)
    assert until(lambda: act.pid is not None, Deadline(PATIENCE))
    stopping = threading.Thread(target=act.stop)
    stopping.start()
    log = venue.paths.emperor_log
    assert until(lambda: "stop the uwsgi instance shop.ini" in log.read_text(), Deadline(PATIENCE))
    time.sleep(0.3)
    reader = os.open(gate, os.O_RDONLY | os.O_NONBLOCK)
    stopping.join()
    os.close(reader)
    assert act.state is State.STOPPED
    assert neighbour.state is State.RUNNING
    assert neighbour.pid == pid
    # What an Emperor says when it stops all.
    assert "RAGNAROK" not in log.read_text()


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
def test_hand_edits_survive_everything_and_count(venue: Venue, own: Act) -> None:
    port = own_ports().take()
    old = own.get_uwsgi_port()
    vassal = own.paths.vassal
    edited = (
        vassal.read_text().replace(f":{old}", f":{port}").replace("processes = 1", "processes = 2")
    )
    vassal.write_text(edited + "# a remark of mine\nthreads = 3\n")
    assert until(lambda: own.get_uwsgi_port() == port, Deadline(PATIENCE))
    own.restart()
    assert fetch(own)[0] == 200
    assert len(psutil.Process(own.pid).children()) == 2
    before = vassal.read_bytes()
    own.stop()
    assert own.get_uwsgi_port() == port
    own.start()
    assert vassal.read_bytes() == before
    assert until(lambda: _threads(own) == [3, 3], Deadline(PATIENCE))


def _threads(act: Act) -> list[int]:
    return [worker.num_threads() for worker in psutil.Process(act.pid).children()]


def test_a_port_that_was_edited_by_hand_is_the_acts_own(act: Act) -> None:
    """While nobody watches the Emperor takes the edit by itself, and a restart finds it so."""
    old = act.get_uwsgi_port()
    port = own_ports().take()
    text = act.paths.vassal.read_text().replace(f":{old}", f":{port}")
    mtime = act.paths.vassal.stat().st_mtime + 2
    act.paths.vassal.write_text(text)
    os.utime(act.paths.vassal, (mtime, mtime))
    assert until(lambda: sockets.listener(port) is not None, Deadline(PATIENCE))
    act.restart()
    assert act.get_uwsgi_port() == port
    assert fetch(act)[0] == 200


def test_an_operator_stops_starts_and_restarts_with_plain_files(act: Act) -> None:
    vassal, text = act.paths.vassal, act.paths.vassal.read_text()
    pid = act.pid
    vassal.unlink()
    act.wait(State.STOPPED)
    vassal.write_text(text)
    act.wait("running")
    assert act.pid != pid
    vassal.unlink()
    act.wait("stopped")
    act.start()
    assert vassal.read_text() == text, "the library puts back what it has kept"


@pytest.mark.slow
def test_a_broken_act_fails_alone_and_says_why(venue: Venue, act: Act, fresh_name: str) -> None:
    other = new_act(venue, f"{fresh_name}_other")
    settings = act.paths.top / act.name / "settings.py"
    good = settings.read_text()
    act.stop()
    settings.write_text(good + "\nimport no_such_module_anywhere\n")
    with pytest.raises(ActFailed) as caught:
        act.start()
    assert "No module named 'no_such_module_anywhere'" in caught.value.reason
    assert f"{settings}, line " in caught.value.reason
    assert "Traceback" in caught.value.log_tail
    assert act.state in {State.FAILING, State.STARTING, State.STOPPING}
    assert fetch(other)[0] == 200
    settings.write_text(good)
    act.start()
    assert fetch(act)[0] == 200


@pytest.mark.slow
def test_a_start_after_a_repair_does_not_wait_for_the_emperors_next_try(
    make_venue: MakeVenue,
) -> None:
    """The Emperor tries what fails more and more rarely; an explicit start is tried now."""
    venue = make_venue(start=False)
    ini = venue.paths.emperor_ini
    # So long at once, which it would be only after half a minute of failures.
    ini.write_text(re.sub(r"throttle = \d+", "throttle = 600000", ini.read_text()))
    act = new_act(venue, "blog", start=False)
    settings = act.paths.top / act.name / "settings.py"
    good = settings.read_text()
    settings.write_text("broken\n")
    act.start(wait=None)

    def next_try() -> float:
        seen = Emperor(act.paths.venue).stats()
        penalty = seen.blacklist.get(act.paths.vassal.name) if seen else None
        return penalty.retry_at if penalty and act.paths.vassal.name not in seen.vassals else 0.0

    # Far enough away that an Act which starts meanwhile cannot be mistaken for that try.
    assert until(lambda: next_try() > time.time() + 2 * PATIENCE, Deadline(PATIENCE), pause=0.1)
    settings.write_text(good)
    planned = next_try()
    act.start()
    seen = Emperor(act.paths.venue).stats()
    assert seen
    assert seen.vassals[act.paths.vassal.name].last_run < planned


def test_a_misspelt_option_is_named(act: Act) -> None:
    act.stop()
    kept = act.paths.kept.read_text()
    act.paths.vassal.write_text(kept + "proceses = 2\n")
    with pytest.raises(ActFailed, match="unknown config directive: proceses"):
        act.start()
    act.paths.vassal.write_text(kept)
    act.start()


def test_a_port_taken_by_another_program_is_named_with_its_holder(act: Act) -> None:
    act.stop()
    with socket.create_server(("127.0.0.1", act.get_uwsgi_port())):
        with pytest.raises(PortUnavailable) as caught:
            act.start()
        assert caught.value.port == act.get_uwsgi_port()
        assert f"pid {psutil.Process().pid}" in str(caught.value)
        assert act.state is State.STOPPED
    act.start()


def test_waiting_for_what_does_not_come_ends(act: Act) -> None:
    with pytest.raises(NotInTime, match="is not stopped"):
        act.wait("stopped", timeout=0.1)


def test_two_acts_never_share_a_port(venue: Venue, act: Act, fresh_name: str) -> None:
    with pytest.raises(PortUnavailable, match="belongs to another Act"):
        new_act(venue, f"{fresh_name}_twin", port=act.get_uwsgi_port())
    act.stop()
    with pytest.raises(PortUnavailable, match="belongs to another Act"):
        new_act(venue, f"{fresh_name}_twin", port=act.get_uwsgi_port())
    assert f"{fresh_name}_twin" not in venue
    assert not (venue.paths.acts / f"{fresh_name}_twin").exists()


@pytest.mark.slow
def test_retiring_moves_and_never_deletes(venue: Venue, own: Act) -> None:
    (own.paths.top / "notes.txt").write_text("keep me")
    port = own.get_uwsgi_port()
    goal = own.retire()
    assert goal.parent == venue.path / "retired"
    assert (goal / own.name / "notes.txt").read_text() == "keep me"
    assert (goal / own.name / "db.sqlite3").exists()
    assert f":{port}" in (goal / f"{own.name}.ini").read_text()
    assert own.name not in venue
    with pytest.raises(NoSuchAct, match=own.name):
        venue[own.name]
    again = new_act(venue, own.name)
    assert again.retire() != goal


def test_new_act_opens_what_is_there(venue: Venue, act: Act) -> None:
    secret = act.paths.env_file.read_text()
    pid = act.pid
    assert new_act(venue, act.name).pid == pid
    act.stop()
    assert new_act(venue, act.name).state is State.RUNNING
    assert act.paths.env_file.read_text() == secret


def test_new_act_runs_a_project_that_is_there(venue: Venue, fresh_name: str) -> None:
    """A project somebody put into acts/ is run as it is, and survives a failure."""
    name = f"{fresh_name}_own"
    project = venue.paths.acts / name
    (project / name).mkdir(parents=True)
    wsgi = project / name / "wsgi.py"
    wsgi.write_text("broken\n")
    with pytest.raises(ActFailed, match="name 'broken' is not defined"):
        new_act(venue, name)
    assert wsgi.exists()
    assert name not in venue
    wsgi.write_text(
        "def application(environ, start_response):\n"
        "    start_response('200 OK', [])\n"
        "    return [b'mine']\n"
    )
    assert fetch(new_act(venue, name)) == (200, "mine")


@pytest.mark.slow
def test_a_template_of_ones_own(venue: Venue, tmp_path: Path, fresh_name: str) -> None:
    """Any template by Django's convention will do, tags and filters included."""
    package = tmp_path / "project_name"
    package.mkdir()
    (tmp_path / "manage.py-tpl").write_text(
        "import os, sys\n"
        "os.environ.setdefault('DJANGO_SETTINGS_MODULE', '{{ project_name }}.settings')\n"
        "from django.core.management import execute_from_command_line\n"
        "execute_from_command_line(sys.argv)\n"
    )
    (package / "__init__.py-tpl").write_text("")
    (package / "settings.py-tpl").write_text(
        "SECRET_KEY = '{{ secret_key }}'\nALLOWED_HOSTS = ['localhost']\n"
        "ROOT_URLCONF = '{{ project_name }}.urls'\n"
    )
    (package / "urls.py-tpl").write_text(
        "from django.http import HttpResponse\nfrom django.urls import path\n"
        "urlpatterns = [path('', lambda request: HttpResponse('{{ project_name|upper }}'))]\n"
    )
    (package / "wsgi.py-tpl").write_text(
        "import os\nos.environ['DJANGO_SETTINGS_MODULE'] = '{{ project_name }}.settings'\n"
        "from django.core.wsgi import get_wsgi_application\n"
        "application = get_wsgi_application()\n"
    )
    act = new_act(venue, fresh_name, template=tmp_path)
    assert fetch(act) == (200, fresh_name.upper())


def test_a_template_that_is_none_leaves_nothing(
    venue: Venue, tmp_path: Path, fresh_name: str
) -> None:
    with pytest.raises(ActFailed, match="template"):
        new_act(venue, fresh_name, template=tmp_path / "missing")
    with pytest.raises(ActFailed, match=r"has no project_name/wsgi\.py"):
        new_act(venue, fresh_name, template=tmp_path)
    assert fresh_name not in venue
    assert not list(venue.paths.acts.glob(f"*{fresh_name}*"))


def test_a_with_block_stops_the_act(venue: Venue, act: Act) -> None:
    with new_act(venue, act.name) as opened:
        assert opened.state is State.RUNNING
    assert act.state is State.STOPPED


@pytest.mark.slow
def test_manage_runs_commands_with_the_venues_python(act: Act) -> None:
    assert "0 static files copied" in act.manage("collectstatic", "--noinput")
    assert str(act.paths.venue.top) in act.manage("shell", "-c", "import sys; print(sys.prefix)")
    with pytest.raises(ActFailed, match="Unknown command: 'no_such'"):
        act.manage("no_such")


@pytest.mark.slow
def test_files_are_closed_to_others(venue: Venue, act: Act) -> None:
    def mode(path: Path) -> int:
        return path.stat().st_mode & 0o777

    assert mode(act.paths.env_file) == 0o600
    assert mode(venue.paths.run) == 0o700
    assert mode(venue.paths.vassals) == 0o755
    listening = [
        connection.laddr.ip
        for process in psutil.Process(act.pid).children()
        for connection in process.net_connections()
        if connection.status == psutil.CONN_LISTEN
    ]
    assert set(listening) == {"127.0.0.1"}
    twin = new_act(venue, f"{act.name}_b")
    assert twin.paths.env_file.read_text() != act.paths.env_file.read_text()


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
    venue.stop_all_acts()
    assert [act.state for act in venue] == [State.STOPPED] * 3
    assert len(venue) == 3
