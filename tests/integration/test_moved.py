"""Venues are directories: people copy, move and delete them, also while they run."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from backstage.act import Act
from backstage.cli.exits import Exit
from backstage.errors import CannotWrite, EmperorFailed, VenueMoved
from backstage.facts.states import State
from backstage.facts.watching import Watching
from backstage.layout import made, registry
from backstage.layout.paths import VenuePaths
from backstage.shortcuts import new_act, new_venue, relocate_venue, use_venue
from backstage.system import processes, sockets
from backstage.system.deadlines import Deadline, until
from backstage.uwsgi.emperor import Emperor
from backstage.venue import Venue

from ..patience import PATIENCE
from .calling import call
from .conftest import MakeVenue, fetch

pytestmark = pytest.mark.slow

# Says which Venue's code it is.
VIEW = """\
import pathlib
def application(environ, start_response):
    start_response("200 OK", [])
    return [str(pathlib.Path(__file__).resolve()).encode()]
"""
# Killed as soon as the first file is changed.
KILLED = """
import os, sys
from backstage.operations import relocation_journal
from backstage.shortcuts import relocate_venue
write = relocation_journal._write
def write_once(*arguments):
    write(*arguments)
    os.kill(os.getpid(), 9)
relocation_journal._write = write_once
relocate_venue(sys.argv[1])
"""


@pytest.fixture(scope="module")
def original(stage: Path) -> Iterator[Venue]:
    """A Venue with an Act that runs; whatever is done to its copies, it is as before."""
    venue = new_venue("Drei", stage)
    act = new_act(venue, "blog")
    (act.paths.top / "blog" / "wsgi.py").write_text(VIEW)
    environment = act.paths.env_file
    environment.write_text(f"{environment.read_text()}NOTES={act.paths.top}/notes\n")
    act.restart()
    before, pid = contents(venue.path), act.pid
    yield venue
    assert contents(venue.path) == before, "the original is never touched"
    assert act.pid == pid
    assert answer(act) == str(act.paths.top / "blog" / "wsgi.py")
    venue.stop()


@pytest.fixture
def running(stage: Path) -> Iterator[tuple[Venue, Path]]:
    """A Venue of a test's own, with an Act that runs, and a path that it may go to."""
    venue, there = new_venue("mover", stage), stage / "moved to"
    act = new_act(venue, "blog")
    yield venue, there
    for place in (venue.path, there):
        if place.exists():
            Emperor(VenuePaths(place)).stop(wait=5.0)
            shutil.rmtree(place)
    assert not psutil.pid_exists(act.pid or -1)


def contents(top: Path) -> dict[str, int]:
    """The files of a Venue with their dates: its sockets too, but not what grows or is cached."""
    return {
        str(path.relative_to(top)): path.lstat().st_mtime_ns
        for path in top.rglob("*")
        if not {"log", "past", "__pycache__"} & {*path.relative_to(top).parts}
        and not path.is_dir()
        and path.suffix not in {".lock", ".health"}
    }


def answer(act: Act) -> str:
    status, text = fetch(act)
    assert status == 200
    return text


def copied(original: Venue, name: str) -> Path:
    """Copied as people do, with what is in run/."""
    there = original.path.with_name(name)
    subprocess.run(["cp", "-r", original.path, there], check=True)
    return there


def ended(place: Path) -> None:
    Emperor(VenuePaths(place)).stop(wait=5.0)
    registry.forget(place)
    shutil.rmtree(place)


def test_a_copy_runs_nothing_until_it_is_relocated_and_then_its_own_code(original: Venue) -> None:
    there = copied(original, "Kopie")
    try:
        for words in (("status",), ("start", "--all"), ("venue", "start"), ("doctor",)):
            done = call("--venue", there, *words, cwd=original.path.parent)
            assert done.returncode == Exit.NOT_THERE
            assert f"is a copy of {original.path}" in done.stderr
            assert f"backstage --venue {there} relocate" in done.stderr
        planned = relocate_venue(there, dry_run=True)
        assert planned.is_copy
        assert not planned.done
        with pytest.raises(VenueMoved):
            use_venue(there)
        told = relocate_venue(there)
        assert told.done
        assert told.files == planned.files
        copy = use_venue(there)
        assert copy.emperor.pid is None, "it is not started, as it did not run"
        assert not [*copy.paths.run.iterdir()]
        act = copy["blog"]
        assert act.get_uwsgi_port() != original["blog"].get_uwsgi_port()
        copy.start()
        act.wait("running")
        assert answer(act) == str(there / "acts" / "blog" / "blog" / "wsgi.py")
        assert f"NOTES={there}/acts/blog/notes" in act.paths.env_file.read_text()
        known = made.read(copy.paths), made.read(original.paths)
        assert known[0]
        assert known[1]
        assert known[0].id != known[1].id
    finally:
        ended(there)


def lose_python(top: Path) -> None:
    """As if the interpreter had been removed that the environment was made with."""
    gone = "/opt/python-that-was-removed/bin"
    (top / "bin" / "python").unlink()
    (top / "bin" / "python").symlink_to(f"{gone}/python3")
    configuration = top / "pyvenv.cfg"
    kept = re.sub(r"(?m)^(home|base-\w+) = .*", rf"\1 = {gone}", configuration.read_text())
    configuration.write_text(kept)


def test_a_python_that_is_gone_is_replaced_by_another_release(original: Venue) -> None:
    """As after an upgrade of Python, or on another host; what is installed stays."""
    there = copied(original, "elsewhere")
    try:
        lose_python(there)
        python, site = there / "bin" / "python", next(there.glob("lib/python3*/site-packages"))
        (site / "installed.py").write_text("answer = 42")
        planned = relocate_venue(there, dry_run=True)
        assert not python.exists()
        told = relocate_venue(there)
        assert told.python == planned.python
        assert told.python.endswith(str(Path(python.readlink()).resolve()))
        run = [python, "-c", "import django, installed; print(installed.answer)"]
        assert subprocess.check_output(run, text=True) == "42\n"
        copy = use_venue(there)
        copy.start()
        copy["blog"].wait("running")
        assert answer(copy["blog"]) == str(there / "acts" / "blog" / "blog" / "wsgi.py")
        lose_python(there)
        done = call("--venue", there, "restart", "blog", cwd=there)
        assert "which is gone; type: backstage relocate" in done.stderr + done.stdout
        assert relocate_venue(there).restarts
        copy["blog"].wait("running")
        assert not relocate_venue(there).changes
    finally:
        ended(there)


def test_a_relocation_that_was_killed_is_finished_by_the_next(original: Venue) -> None:
    there = copied(original, "killed")
    try:
        before = (there / "bin" / "django-admin").read_text()
        done = subprocess.run([sys.executable, "-c", KILLED, there], check=False, timeout=PATIENCE)
        assert done.returncode == -signal.SIGKILL
        with pytest.raises(VenueMoved):
            use_venue(there)
        told = relocate_venue(there)
        assert told.done
        assert (there / "bin" / "django-admin").read_text() != before
        assert not VenuePaths(there).relocation.exists()
        named = subprocess.run(
            ["grep", "-rIl", "--exclude-dir=log", f"{original.path}\\b", there],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert named.stdout == ""
    finally:
        ended(there)


def test_a_relocation_that_fails_leaves_everything_as_it_was(
    original: Venue, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = copied(original, "failing")
    try:
        before = {name: (there / name).read_bytes() for name in ("pyvenv.cfg", "templates/launch")}
        with monkeypatch.context() as patch:
            patch.setattr(made, "write", _no_room)
            with pytest.raises(CannotWrite, match="No space left"):
                relocate_venue(there)
        assert {name: (there / name).read_bytes() for name in before} == before
        assert not VenuePaths(there).relocation.exists()
        assert there not in registry.venues()
        with pytest.raises(VenueMoved):
            use_venue(there)
    finally:
        ended(there)


def _no_room(*_: object) -> None:
    raise OSError(28, os.strerror(28))


def moved_at(there: Path) -> list[dict[str, object]]:
    """What `venues` tells of a Venue that was moved there."""
    told = json.loads(call("venues", "--json", cwd=there.parent).stdout)["result"]["moved"]
    return [each for each in told if each["venue"] == str(there)]


def test_a_venue_that_was_moved_while_it_ran_answers_again(
    running: tuple[Venue, Path], stage: Path
) -> None:
    """Also at a path with a space, and with the same port; nothing of the old Emperor is left."""
    venue, there = running
    before = psutil.Process(venue.emperor.pid).children(recursive=True)
    port = venue["blog"].get_uwsgi_port()
    alone = call("venues", cwd=stage, env={"XDG_STATE_HOME": str(stage / "no-state")}).stdout
    assert f"{venue.path} " in alone, "also where it is not registered"
    pid = venue.emperor.pid
    venue.path.rename(there)
    (listed,) = moved_at(there)
    command = f"backstage --venue '{there}' relocate"
    made_at = str(venue.path)
    assert listed == {"venue": str(there), "made_at": made_at, "pid": pid, "command": command}
    told = f"{made_at} was moved to {there}, and its Emperor runs (pid {pid}); type: {command}"
    assert told in call("venues", cwd=stage).stdout
    done = call("--venue", there, "status", cwd=there.parent)
    assert done.returncode == Exit.NOT_THERE
    assert f"was moved from {venue.path}" in done.stderr
    assert f"backstage --venue '{there}' relocate" in done.stderr
    done = call("--venue", there, "relocate", cwd=there.parent)
    assert done.returncode == Exit.DONE, done.stderr
    assert not moved_at(there)
    moved = use_venue(there)
    act = moved["blog"]
    act.wait("running")
    assert act.get_uwsgi_port() == port
    assert fetch(act)[0] == 200
    assert not processes.running(before)
    assert until(lambda: moved.watcher.state is Watching.RUNNING, Deadline(PATIENCE))
    assert not venue.path.exists(), "nothing writes there any more"
    act.restart()
    assert act.state is State.RUNNING
    again = relocate_venue(there)
    assert not again.changes
    assert venue.path not in registry.venues()
    script = subprocess.run([there / "bin" / "django-admin", "--version"], check=False)
    assert script.returncode == 0


def test_what_runs_on_after_its_venue_was_removed_is_found_and_ended(stage: Path) -> None:
    """No other Emperor takes its place before, and nothing else is ended."""
    venue = new_venue("removed", stage)
    act = new_act(venue, "blog")
    pid, port = venue.emperor.pid, act.get_uwsgi_port()
    assert pid
    everybody = psutil.Process(pid).children(recursive=True)
    shutil.rmtree(venue.path)
    assert psutil.pid_exists(pid)
    listed = json.loads(call("venues", "--json", cwd=stage).stdout)["result"]["orphans"]
    (told,) = [each for each in listed if each["pid"] == pid]
    assert told["venue"] == str(venue.path)
    assert (told["acts"], told["ports"]) == (["blog"], [port])
    command = f"backstage venue stop --orphan {pid}"
    assert told["command"] == command
    assert command in call("venues", cwd=stage).stdout
    with pytest.raises(EmperorFailed, match=command):
        new_venue("removed", stage)
    assert not venue.path.exists()
    other = new_venue("other", stage)
    done = call("venue", "stop", "--orphan", str(other.emperor.pid), cwd=stage)
    assert done.returncode == Exit.FAILED
    assert other.emperor.pid, "it is no orphan"
    done = call("venue", "stop", "--orphan", "1", cwd=stage)
    assert "process 1 is no Emperor; see: backstage venues" in done.stderr
    done = call("venue", "stop", "--orphan", str(pid), cwd=stage)
    assert done.returncode == Exit.DONE, done.stderr
    assert "blog" in done.stdout
    assert not processes.running(everybody)
    assert not sockets.in_use(port)
    again = new_venue("removed", stage)
    assert again.emperor.pid
    for each in (again, other):
        each.stop()


def test_a_venue_made_anew_names_the_emperor_that_was_there_before(make_venue: MakeVenue) -> None:
    venue = make_venue()
    pid = venue.emperor.pid
    venue.paths.emperor_lock.unlink()
    venue.paths.emperor_lock.touch()
    command = f"backstage venue stop --orphan {pid}"
    assert command in call("status", cwd=venue.path).stdout
    assert any(command in str(each) for each in venue.examine() if each.check == "emperor")
    with pytest.raises(EmperorFailed, match=command):
        venue.start()
    assert call("venue", "stop", "--orphan", str(pid), cwd=venue.path).returncode == Exit.DONE
    venue.start()
    assert venue.emperor.pid not in {None, pid}
