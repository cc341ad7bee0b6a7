"""Venues: complete environments, one Emperor each, whatever happens to it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from backstage.errors import EmperorFailed, NotAVenue, SettingsError, UnsafeDirectory
from backstage.facts.states import State
from backstage.operations.new_venue import Step
from backstage.shortcuts import new_act, new_venue, use_venue, venue_from_cwd
from backstage.system import processes, programs
from backstage.system.deadlines import Deadline, until
from backstage.venue import Venue
from tests.patience import PATIENCE

from .conftest import MakeVenue, fetch, processes_within


def python(code: str, *arguments: object) -> subprocess.Popen[str]:
    """Another Python process with the library; prints what `code` prints."""
    words = [sys.executable, "-c", code, *(str(argument) for argument in arguments)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True)


def emperors(venue: Venue) -> list[int]:
    return [
        process.pid
        for process in processes_within(venue.path)
        if process.name().startswith("uwsgi") or "emperor" in " ".join(process.cmdline())
        if process.ppid() == 1 or process.pid == venue.emperor.pid
    ]


@pytest.mark.slow
def test_a_venue_is_a_complete_virtual_environment(venue: Venue) -> None:
    activate = f". {venue.path}/bin/activate && python -m pip check && python -m django --version"
    done = programs.run(["sh", "-c", activate], env=os.environ)
    assert done.returncode == 0, done.stdout
    assert "No broken requirements found" in done.stdout
    listed = programs.run([venue.paths.python, "-m", "pip", "list"], env=os.environ).stdout
    assert all(name in listed for name in ("Django", "uWSGI", "pip", "django-environ"))
    assert not (venue.path / "CACHEDIR.TAG").exists(), "backups must not leave the Venue out"
    script = programs.run([venue.path / "bin" / "django-admin", "--version"])
    assert script.returncode == 0
    assert f"#!{venue.path}/bin/python" in (venue.path / "bin" / "django-admin").read_text()


@pytest.mark.slow
def test_what_is_uninstalled_or_edited_in_one_venue_stays_in_another(
    venue: Venue, make_venue: MakeVenue
) -> None:
    other = make_venue()
    done = programs.run(
        [other.paths.python, "-m", "pip", "uninstall", "-y", "sqlparse"], env=os.environ
    )
    assert done.returncode == 0, done.stdout
    assert not list(other.paths.site_packages.glob("sqlparse*"))
    assert (venue.paths.site_packages / "sqlparse" / "__init__.py").exists()
    facts = (venue.paths.site_packages / "django" / "__init__.py").stat()
    assert facts.st_nlink == 1


@pytest.mark.slow
def test_every_step_is_told(stage: Path) -> None:
    steps: list[Step] = []
    new_venue("steps", stage, progress=steps.append)
    assert [step.number for step in steps] == sorted({step.number for step in steps})
    assert steps[-1].number == steps[-1].of
    assert steps[-1].title == "Starting the Emperor"


def test_a_venue_is_opened_by_the_call_that_made_it(venue: Venue) -> None:
    assert new_venue(venue.name, venue.path.parent) == venue
    assert use_venue(venue.path) == venue
    assert use_venue(f"{venue.path}/acts/..") == venue
    assert len(emperors(venue)) == 1


def test_a_venue_is_found_from_within(venue: Venue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(venue.paths.acts)
    assert venue_from_cwd() == venue


@pytest.mark.slow
def test_the_emperor_outlives_the_process_that_started_it(make_venue: MakeVenue) -> None:
    venue = make_venue(start=False)
    code = "import sys; from backstage.shortcuts import *; use_venue(sys.argv[1]).start()"
    child = python(code, venue.path)
    child.communicate(timeout=PATIENCE)
    assert child.returncode == 0
    pid = venue.emperor.pid
    assert pid
    assert psutil.Process(pid).ppid() != os.getpid()
    assert os.getsid(pid) == pid, "a signal to the terminal's group does not reach it"
    assert "DJANGO_SETTINGS_MODULE" not in Path(f"/proc/{pid}/environ").read_text()


@pytest.mark.slow
def test_many_callers_start_one_emperor(make_venue: MakeVenue) -> None:
    venue = make_venue(start=False)
    code = (
        "import sys; from backstage.shortcuts import *\n"
        "venue = use_venue(sys.argv[1]); venue.start(); print(venue.emperor.pid)"
    )
    callers = [python(code, venue.path) for _ in range(4)]
    told = {caller.communicate(timeout=PATIENCE)[0] for caller in callers}
    assert told == {f"{venue.emperor.pid}\n"}
    assert emperors(venue) == [venue.emperor.pid]


@pytest.mark.slow
def test_two_callers_make_one_venue(stage: Path) -> None:
    code = (
        "import sys; from backstage.shortcuts import *\n"
        "print(new_venue('together', sys.argv[1]).emperor.pid)"
    )
    callers = [python(code, stage) for _ in range(2)]
    told = {caller.communicate(timeout=120)[0] for caller in callers}
    venue = use_venue(stage / "together")
    assert told == {f"{venue.emperor.pid}\n"}
    assert emperors(venue) == [venue.emperor.pid]


def test_a_second_emperor_by_hand_refuses(venue: Venue) -> None:
    venue.start()
    done = programs.run(
        [venue.path / "bin" / "uwsgi", "--ini", venue.paths.emperor_ini], timeout=PATIENCE
    )
    assert done.returncode != 0
    assert "emperor.lock" in done.stdout


# Goes its own ways, and then says where it is.
DAEMON = """
import os, time
if not os.fork():
    os.setsid()
    with open("note", "w") as note:
        note.write(str(os.getpid()))
    os.rename("note", "daemon.pid")
time.sleep(300)
"""


@pytest.mark.slow
def test_a_killed_emperor_is_replaced_and_its_acts_are_back(make_venue: MakeVenue) -> None:
    """Also where what its vassals had started survived it."""
    venue = make_venue()
    act = new_act(venue, "blog")
    stopped = new_act(venue, "stopped", start=False)
    (act.paths.top / "daemon.py").write_text(DAEMON)
    vassal = act.paths.vassal
    vassal.write_text(vassal.read_text() + "attach-daemon = %(venue)/bin/python daemon.py\n")
    act.restart()
    note = act.paths.top / "daemon.pid"
    assert until(note.exists, Deadline(PATIENCE))
    daemon = processes.family(int(note.read_text()))
    pid = venue.emperor.pid
    assert pid
    os.kill(pid, signal.SIGKILL)
    assert until(lambda: venue.emperor.pid is None, Deadline(PATIENCE))
    assert act.state is State.WAITING
    assert venue.paths.emperor_pid.exists(), "the pid file is stale"
    assert processes.running(daemon), "which holds a port, say"
    venue.start()
    assert not processes.running(daemon)
    act.wait("running")
    assert venue.emperor.pid != pid
    assert fetch(act)[0] == 200
    assert stopped.state is State.STOPPED


def test_a_stale_pid_file_with_a_reused_pid_fools_nobody(make_venue: MakeVenue) -> None:
    venue = make_venue(start=False)
    bystander = subprocess.Popen(["sleep", "300"], start_new_session=True)
    try:
        venue.paths.emperor_pid.write_text(f"{bystander.pid}\n")
        assert venue.emperor.pid is None
        venue.start()
        assert venue.emperor.pid not in {None, bystander.pid}
        venue.stop()
        assert bystander.poll() is None, "it was none of ours"
    finally:
        bystander.kill()
        bystander.wait()


@pytest.mark.slow
def test_stop_ends_everything_and_start_brings_the_same_acts_back(make_venue: MakeVenue) -> None:
    venue = make_venue()
    running = [new_act(venue, name) for name in ("one", "two")]
    resting = new_act(venue, "three", start=False)
    venue.stop()
    assert not processes_within(venue.path)
    assert [act.state for act in running] == [State.WAITING] * 2
    assert "stopped" in repr(venue)
    venue.stop()
    venue.start()
    for act in running:
        act.wait("running")
    assert resting.state is State.STOPPED


@pytest.mark.slow
def test_an_acts_start_starts_the_emperor(make_venue: MakeVenue) -> None:
    venue = make_venue(start=False)
    act = new_act(venue, "blog", start=False)
    assert venue.emperor.pid is None
    act.start()
    assert fetch(act)[0] == 200


@pytest.mark.slow
def test_twenty_acts_from_four_processes_get_twenty_ports(make_venue: MakeVenue) -> None:
    """Ports are given out when Acts are made, all at once; started one by one, all answer."""
    venue = make_venue()
    code = (
        "import sys; from backstage.shortcuts import *\n"
        "from concurrent.futures import ThreadPoolExecutor\n"
        "venue = use_venue(sys.argv[1])\n"
        "make = lambda n: new_act(venue, f'act{sys.argv[2]}_{n}', start=False)\n"
        "with ThreadPoolExecutor(5) as pool:\n"
        "    print(*(act.get_uwsgi_port() for act in pool.map(make, range(5))))"
    )
    callers = [python(code, venue.path, number) for number in range(4)]
    ports = [int(port) for c in callers for port in c.communicate(timeout=600)[0].split()]
    assert len(ports) == len(set(ports)) == 20
    for act in venue:
        act.start()
    assert [act.state for act in venue] == [State.RUNNING] * 20
    assert {act.get_uwsgi_port() for act in venue} == set(ports)
    assert {fetch(act)[0] for act in venue} == {200}


@pytest.mark.slow
def test_ports_are_kept_clear_of_other_venues(make_venue: MakeVenue) -> None:
    first, second = make_venue(start=False), make_venue(start=False)
    one = new_act(first, "blog", start=False)
    two = new_act(second, "blog", start=False)
    assert one.get_uwsgi_port() != two.get_uwsgi_port()


def test_a_broken_emperor_ini_is_reported_with_uwsgis_own_words(make_venue: MakeVenue) -> None:
    venue = make_venue(start=False)
    good = venue.paths.emperor_ini.read_text()
    venue.paths.emperor_ini.write_text(good + "emperor-freqq = 1\n")
    with pytest.raises(EmperorFailed, match="unknown config directive: emperor-freqq"):
        venue.start()
    assert not processes_within(venue.path)
    venue.paths.emperor_ini.write_text(good)
    venue.start()
    assert venue.emperor.pid


@pytest.mark.slow
@pytest.mark.parametrize("mode", [0o775, 0o757])
def test_a_directory_that_others_can_write_is_refused(make_venue: MakeVenue, mode: int) -> None:
    venue = make_venue()
    act = new_act(venue, "guarded")
    act.stop()
    for directory in (venue.paths.vassals, venue.path):
        before = directory.stat().st_mode & 0o777
        try:
            directory.chmod(mode)
            if directory == venue.path:
                venue.stop()
            with pytest.raises(UnsafeDirectory, match="chmod go-w"):
                act.start()
        finally:
            directory.chmod(before)
    act.start()


def test_a_broken_venue_yaml_is_named_with_its_line(make_venue: MakeVenue) -> None:
    venue = make_venue()
    venue.paths.settings.write_text("# mine\nports: 8001-8999\nprots: 1\n")
    with pytest.raises(SettingsError, match=r"venue\.yaml, line 3: unknown key 'prots'"):
        use_venue(venue.path)
    venue.paths.settings.write_text("ports: [1\n")
    with pytest.raises(SettingsError, match="not valid YAML"):
        new_act(venue, "blog")
    assert not venue.acts
    venue.paths.settings.write_text("")
    assert venue.settings.ports == range(8001, 9000)


@pytest.mark.slow
def test_a_moved_register_or_a_removed_run_directory_does_no_harm(make_venue: MakeVenue) -> None:
    venue = make_venue()
    act = new_act(venue, "blog")
    venue.stop()
    for path in venue.paths.run.iterdir():
        path.unlink()
    venue.paths.run.rmdir()
    venue.start()
    act.wait("running")


def test_a_place_that_is_no_venue_is_refused(stage: Path, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("mine")
    (tmp_path / "file").write_text("mine")
    for name in ("full", "file"):
        with pytest.raises(NotAVenue):
            new_venue(name, tmp_path)
    assert (tmp_path / "full" / "thesis.txt").read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "full"]
    with pytest.raises(NotAVenue, match="mkdir -p"):
        new_venue("name", tmp_path / "missing")
    with pytest.raises(NotAVenue):
        use_venue(tmp_path / "full")
    with pytest.raises(NotAVenue):
        use_venue(tmp_path / "missing")


@pytest.mark.slow
def test_a_path_with_spaces_works(stage: Path, fresh_name: str) -> None:
    parent = stage / "with space"
    parent.mkdir()
    venue = new_venue("my venue", parent)
    act = new_act(venue, fresh_name)
    assert fetch(act)[0] == 200
    script = programs.run([venue.path / "bin" / "django-admin", "--version"])
    assert script.returncode == 0, script.stdout
    venue.stop()
