"""What Acts do is told when it happens, whoever caused it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from backstage.act import Act
from backstage.errors import ActFailed, NotInTime
from backstage.facts.states import State
from backstage.shortcuts import new_act, use_venue
from backstage.system.deadlines import Deadline, until
from backstage.uwsgi.emperor import Emperor
from backstage.venue import Venue
from tests.own_ports import own_ports
from tests.patience import PATIENCE

from .conftest import MakeVenue, fetch
from .listening import RELOAD, START, STOP, Listener
from .saving import renamed_with_an_old_date


@pytest.fixture(scope="module")
def act(venue: Venue) -> Iterator[Act]:
    act = new_act(venue, "watched")
    yield act
    act.retire()


@pytest.fixture
def listener(venue: Venue, act: Act) -> Iterator[Listener]:
    act.start()
    with venue.events() as stream:
        yield Listener(act, stream)


def edit(act: Act, old: str, new: str) -> None:
    """Change the vassal file in place, as `cp` and nano do.

    Just after the Emperor has looked, so that it does not take a bad one before it is examined.
    """
    Emperor(act.paths.venue).wake()
    text = act.paths.vassal.read_text()
    assert old in text
    act.paths.vassal.write_text(text.replace(old, new))


def worker(act: Act) -> int:
    return psutil.Process(act.pid).children()[0].pid


def threads(act: Act) -> int:
    """How many threads the worker really has for requests, after a request has started them."""
    fetch(act, "healthz")
    return act.snapshot().threads


def test_the_verbs_of_this_process_are_told(listener: Listener) -> None:
    act = listener.act
    act.stop()
    stopped = listener.sees(*STOP)
    assert stopped[0].reason == "its vassal file was removed"
    act.start()
    started = listener.sees(*START)
    assert started[0].reason == "its vassal file was added"
    assert started[1].reason == f"answers on port {act.get_uwsgi_port()}"
    act.restart()
    assert listener.sees(*RELOAD)[0].reason == "its vassal file was touched"


def test_the_verbs_of_another_process_are_told(listener: Listener, venue: Venue) -> None:
    script = (
        "import sys; from backstage.shortcuts import use_venue;"
        "getattr(use_venue(sys.argv[1])['watched'], sys.argv[2])()"
    )
    # One after the other is told: on a busy machine, what both did could be seen in one look.
    for verb, told in (("stop", STOP), ("start", START)):
        subprocess.run([sys.executable, "-c", script, str(venue.path), verb], check=True)
        listener.sees(*told)


@pytest.mark.slow
def test_hands_are_told(listener: Listener, tmp_path: Path) -> None:
    """touch, mv away and back, rm; each is what the Emperor makes of it."""
    vassal = listener.act.paths.vassal
    vassal.touch()
    listener.sees(*RELOAD)
    vassal.rename(tmp_path / "blog.ini")
    listener.sees(*STOP)
    (tmp_path / "blog.ini").rename(vassal)
    listener.sees(*START)
    vassal.unlink()
    listener.sees(*STOP)
    listener.act.start()
    listener.sees(*START)


def test_what_an_edit_changes_is_told_and_comes_true(listener: Listener) -> None:
    edit(listener.act, "threads = 4", "threads = 6")
    assert listener.sees(*RELOAD)[0].reason == "changed: threads = 4 → 6"
    assert threads(listener.act) == 6
    edit(listener.act, "threads = 6", "threads = 4")
    listener.sees(*RELOAD)
    assert threads(listener.act) == 4


def test_the_second_save_within_a_second_counts(listener: Listener) -> None:
    """The Emperor alone compares whole seconds, and would never look at it again."""
    for count in (7, 8, 9):
        text = listener.act.paths.vassal.read_text()
        before = text[text.index("threads = ") :].splitlines()[0]
        edit(listener.act, before, f"threads = {count}")
    assert until(lambda: threads(listener.act) == 9, Deadline(PATIENCE))
    edit(listener.act, "threads = 9", "threads = 4")
    assert until(lambda: threads(listener.act) == 4, Deadline(PATIENCE))


def test_an_older_file_counts(listener: Listener) -> None:
    vassal = listener.act.paths.vassal
    renamed_with_an_old_date(vassal, vassal.read_text().replace("threads = 4", "threads = 5"))
    listener.sees(*RELOAD)
    assert threads(listener.act) == 5
    edit(listener.act, "threads = 5", "threads = 4")
    listener.sees(*RELOAD)


def test_an_invalid_edit_is_named_and_what_runs_goes_on(listener: Listener) -> None:
    act = listener.act
    pid, first = act.pid, worker(act)
    good = act.paths.vassal.read_text()
    renamed_with_an_old_date(act.paths.vassal, good.replace("threads = 4", "threds = 6"))
    told = listener.next()
    assert (told.before, told.after) == (State.RUNNING, State.RUNNING), told
    line = good[: good.index("threads = 4")].count("\n") + 1
    assert f"vassals/{act.name}.ini, line {line}: unknown option 'threds'" in told.reason
    refused = act.snapshot().refused
    assert refused
    assert (refused.line, refused.key) == (line, "threds")
    assert told.reason.endswith(str(refused))
    with pytest.raises(ActFailed, match=r"keeps running as before: .*unknown option 'threds'"):
        act.restart()
    assert act.state is State.RUNNING
    assert (act.pid, worker(act)) == (pid, first)
    assert "threds = 6" in act.paths.vassal.read_text(), "the edit is the operator's"
    act.paths.vassal.write_text(good)
    listener.sees(*RELOAD)
    assert not act.snapshot().reason


def test_a_changed_port_is_followed(listener: Listener) -> None:
    act, old = listener.act, listener.act.get_uwsgi_port()
    edit(act, f":{old}", f":{old + 700}")
    assert "http-socket" in listener.sees(*RELOAD)[0].reason
    assert act.get_uwsgi_port() == act.snapshot().port == old + 700
    assert act.url == f"http://localhost:{old + 700}/"
    assert fetch(act, "healthz")[0] == 200
    edit(act, f":{old + 700}", f":{old}")
    listener.sees(*RELOAD)
    assert fetch(act, "healthz")[0] == 200


def test_files_beside_it_are_nothing(listener: Listener) -> None:
    """Swap, backup and lock files of editors."""
    act, vassals = listener.act, listener.act.paths.venue.vassals
    text = act.paths.vassal.read_text()
    beside = [".watched.ini.swp", "watched.ini~", "4913", "#watched.ini#", "watched.ini.bak"]
    for name in beside:
        (vassals / name).write_text(text)
    (vassals / ".#watched.ini").symlink_to("somebody@host.1234")
    for name in (*beside, ".#watched.ini"):
        (vassals / name).unlink()
    act.paths.vassal.touch()
    listener.sees(*RELOAD)
    assert act.paths.venue.vassals.exists()


def test_a_killed_worker_is_told_and_why(listener: Listener) -> None:
    pid = worker(listener.act)
    os.kill(pid, signal.SIGKILL)
    told = listener.sees(*START)
    assert told[0].reason == f"worker 1 (pid {pid}) was killed by signal 9"


def test_a_killed_master_is_told_and_replaced(listener: Listener) -> None:
    pid = listener.act.pid
    assert pid
    os.kill(pid, signal.SIGKILL)
    told = listener.until(State.RUNNING)
    assert f"(pid {pid}) was killed" in told[0].reason
    assert listener.act.pid != pid


@pytest.mark.slow
def test_an_act_that_hangs_is_failing_until_it_answers(venue: Venue) -> None:
    act = new_act(venue, "hanging")
    views = act.paths.top / act.name / "wsgi.py"
    views.write_text(
        "import time, pathlib\n"
        "def application(environ, start):\n"
        "    while pathlib.Path(__file__).with_name('hang').exists(): time.sleep(0.05)\n"
        "    start('200 OK', []); return [b'ok']\n"
    )
    act.restart()
    hang = views.with_name("hang")
    with venue.events() as stream:
        listener = Listener(act, stream)
        hang.touch()
        asking = [threading.Thread(target=fetch, args=[act]) for _ in range(4)]
        for thread in asking:
            thread.start()
        told = listener.sees(State.FAILING)
        assert "all of its 4 threads are busy" in told[0].reason
        seen = act.snapshot()
        assert (seen.state, seen.busy, seen.threads) == (State.FAILING, 4, 4)
        assert repr(act).startswith("<Act 'hanging' failing")
        hang.unlink()
        listener.sees(State.RUNNING)
        for thread in asking:
            thread.join()
    act.retire()


def test_a_halted_worker_is_told(listener: Listener) -> None:
    """A port that only the kernel keeps open is not one that answers."""
    pid = worker(listener.act)
    os.kill(pid, signal.SIGSTOP)
    try:
        assert f"(pid {pid}) is halted" in listener.sees(State.FAILING)[0].reason
        assert listener.act.state is State.FAILING
    finally:
        os.kill(pid, signal.SIGCONT)
    listener.sees(State.RUNNING)


def test_a_failing_act_says_why_how_often_and_when_it_is_tried_again(listener: Listener) -> None:
    act = listener.act
    settings = act.paths.top / act.name / "settings.py"
    good = settings.read_text()
    settings.write_text(f"{good}\nimport no_such_thing\n")
    with pytest.raises(ActFailed, match="No module named 'no_such_thing'"):
        act.restart(check=False)
    told = listener.until(State.FAILING)
    assert "ModuleNotFoundError: No module named 'no_such_thing'" in told[-1].reason
    assert until(lambda: act.snapshot().attempts > 1, Deadline(PATIENCE))
    seen = act.snapshot()
    if seen.state is State.FAILING:
        assert str(settings) in seen.reason
        assert seen.next_try
        assert seen.next_try > time.time() - 10
    with pytest.raises(NotInTime, match="no_such_thing"):
        act.wait("running", timeout=0.1)
    settings.write_text(good)
    act.paths.vassal.touch()
    assert until(lambda: listener.next().after is State.RUNNING, Deadline(PATIENCE))


def test_a_program_that_the_library_never_made_is_an_act(venue: Venue) -> None:
    """Not Django, not even Python's: a daemon that opens its port by itself."""
    vassal = venue.paths.vassals / "files.ini"
    port = own_ports().take()
    text = (
        f"[uwsgi]\nmaster = true\nset-placeholder = port={port}\ndie-on-term = true\n"
        f"attach-daemon2 = cmd={venue.paths.python} -m http.server --bind 127.0.0.1 {port},"
        "stopsignal=15,reloadsignal=15\n"
    )
    with venue.events() as stream:
        vassal.write_text(text)
        assert until(lambda: "files" in venue, Deadline(PATIENCE))
        act = venue["files"]
        listener = Listener(act, stream, State.STOPPED)
        listener.until(State.RUNNING)
        assert act.get_uwsgi_port() == port
        assert fetch(act)[0] == 200
        vassal.unlink()
        listener.until(State.STOPPED)
    act.start()
    assert act.state is State.RUNNING
    act.retire()


@pytest.mark.slow
def test_an_emperor_that_dies_and_comes_back_is_told_for_every_act(make_venue: MakeVenue) -> None:
    venue = make_venue()
    act = new_act(venue, "waiter")
    with venue.events() as stream:
        listener = Listener(act, stream)
        pid = venue.emperor.pid
        assert pid
        os.kill(pid, signal.SIGKILL)
        assert listener.until(State.WAITING)[-1].reason == "there is no Emperor"
        venue.start()
        listener.sees(*START)
        venue.stop()
        listener.until(State.WAITING)
        assert act.state is State.WAITING


@pytest.mark.slow
def test_a_run_directory_that_was_removed_does_no_harm(make_venue: MakeVenue) -> None:
    """It is safe to delete while nothing runs."""
    venue = make_venue()
    act = new_act(venue, "runner")
    with venue.events() as stream:
        listener = Listener(act, stream)
        venue.stop()
        listener.until(State.WAITING)
        shutil.rmtree(venue.paths.run)
        act.start()
        listener.sees(*START)
        act.paths.vassal.touch()
        listener.sees(*RELOAD)


def test_waiting_returns_at_once_or_with_the_log(venue: Venue, act: Act) -> None:
    act.start()
    act.wait("running", timeout=0.0)
    act.stop(wait=None)
    act.wait(State.STOPPED, timeout=PATIENCE)
    with pytest.raises(NotInTime, match="is not running yet, but stopped"):
        act.wait("running", timeout=0.05)
    act.start()
    with pytest.raises(ValueError, match="sleepy"):
        act.wait("sleepy")


def wait_in_thread(call: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=call)
    thread.start()
    return thread


def test_streams_end_when_they_are_told(venue: Venue) -> None:
    """By a timeout, by an event, by closing stream or Venue, once or twice, from any thread."""
    assert list(venue.events(timeout=0.01)) == []
    stop = threading.Event()
    waiting = wait_in_thread(lambda: list(venue.events(stop_event=stop)))
    stop.set()
    waiting.join(PATIENCE)
    stream = venue.events()
    waiting = wait_in_thread(lambda: list(stream))
    stream.close()
    stream.close()
    waiting.join(PATIENCE)
    with use_venue(venue.path) as again:
        other = again.events()
    again.close()
    assert list(other) == []
    assert not waiting.is_alive()


def observers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if "observer" in thread.name]


def test_nothing_watches_when_nobody_listens(venue: Venue) -> None:
    before = len(os.listdir("/proc/self/fd"))
    with venue.events(), venue.events():
        assert len(observers()) == 1
    assert not observers()
    venue.events()
    assert until(lambda: not observers(), Deadline(PATIENCE)), "forgotten ones count as closed"
    assert len(os.listdir("/proc/self/fd")) <= before


def test_every_listener_hears_everything(venue: Venue, act: Act) -> None:
    act.start()
    with venue.events() as one, venue.events() as two:
        act.stop()
        act.start()
        both = [[stream.next_within(PATIENCE) for _ in range(4)] for stream in (one, two)]
    assert both[0] == both[1]


def test_a_forked_child_begins_anew(venue: Venue, act: Act) -> None:
    act.start()
    with venue.events() as stream:
        told, tell = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                old = list(stream)
                with venue.events(timeout=PATIENCE) as events:
                    os.write(tell, f"{len(old)} listening".encode())
                    os.write(tell, f" {next(events).after}".encode())
            finally:
                os._exit(0)
        assert os.read(told, 100) == b"0 listening"
        act.stop()
        assert os.read(told, 100) == b" stopping"
        os.waitpid(child, 0)
        os.close(told)
        os.close(tell)
        assert stream.next_within(PATIENCE), "the parent's own goes on"
    act.start()
