"""Reloads of a running vassal, asked of the Emperor by a date or of the vassal by a signal."""

from __future__ import annotations

import hashlib
import os
import sys
import threading
import time
from pathlib import Path

import pytest

from backstage.facts.sightings import Vassal
from backstage.layout.paths import ActPaths, VenuePaths
from backstage.uwsgi import reloading, vassal_files
from tests import acts_on_disk
from tests.conftest import Spawn
from tests.patience import PATIENCE

# Prints a line when it may be signalled; its exit code tells that it has been. A shell could not
# listen where the tests run under nohup.
TOLD = 7
LISTENER = f"""
import signal, sys
signal.signal(signal.SIGHUP, lambda *_: sys.exit({TOLD}))
print("ready", flush=True)
while True:
    signal.pause()
"""


@pytest.fixture
def act(tmp_path: Path) -> ActPaths:
    act = VenuePaths(tmp_path).act("blog")
    act.vassal.parent.mkdir()
    act.vassal.write_text("[uwsgi]\n")
    return act


def vassal(last_mod: int, pid: int = -1) -> Vassal:
    return acts_on_disk.reported(last_mod=last_mod, pid=pid).vassals["blog.ini"]


def second(act: ActPaths) -> int:
    return int(act.vassal.stat().st_mtime)


@pytest.mark.parametrize("age", [2, 10, 1_000_000])
def test_the_emperor_is_given_a_date_that_no_later_edit_can_share(act: ActPaths, age: int) -> None:
    """Whatever date the file has: the Emperor's own counts."""
    last_mod = int(time.time()) - age
    for mtime in (0, last_mod, last_mod + 2 * age):
        os.utime(act.vassal, (mtime, mtime))
        reloading.reload(act, vassal(last_mod))
        assert last_mod < second(act) < int(time.time())
    assert act.vassal.read_text() == "[uwsgi]\n"


@pytest.mark.parametrize("ahead", [5, 3600])
@pytest.mark.parametrize("edited", [-1000, 0, 2])
def test_where_no_date_is_left_the_vassal_is_told_itself(
    act: ActPaths, spawn: Spawn, ahead: int, edited: int
) -> None:
    """After a second reload within a second, or a clock that was ahead."""
    listener = spawn(sys.executable, "-c", LISTENER)
    assert listener.stdout
    assert listener.stdout.readline() == "ready\n"
    last_mod = int(time.time()) + ahead
    os.utime(act.vassal, (last_mod + edited, last_mod + edited))
    reloading.reload(act, vassal(last_mod, listener.pid))
    assert listener.wait(PATIENCE) == TOLD
    # The Emperor does not reload it a second time.
    assert second(act) == last_mod + min(edited, 0)


# Starts to listen when it is told to, as uWSGI's master does late in its start.
STARTING = f"""
import signal, sys
print("starting", flush=True)
sys.stdin.readline()
{LISTENER}"""


def test_a_vassal_that_is_starting_is_waited_for(act: ActPaths, spawn: Spawn) -> None:
    """The signal would end it, and so close its port."""
    listener = spawn(sys.executable, "-c", STARTING)
    assert listener.stdout
    assert listener.stdin
    assert listener.stdout.readline() == "starting\n"
    known = vassal(int(time.time()) + 100, listener.pid)
    act.loaded.parent.mkdir()
    act.loaded.write_text("what it has loaded\n")
    present = vassal_files.version(act)
    assert present
    with pytest.raises(reloading.NotListening):
        reloading.load(act, known, present)
    assert act.loaded.read_text() == "what it has loaded\n"
    telling = threading.Thread(target=reloading.reload, args=(act, known))
    telling.start()
    listener.stdin.write("\n")
    listener.stdin.flush()
    telling.join()
    assert listener.wait(PATIENCE) == TOLD


def test_a_master_that_reads_commands_gets_no_signal(act: ActPaths, spawn: Spawn) -> None:
    """uWSGI writes to its log while it handles one, and hangs if it was just doing so."""
    listener = spawn(sys.executable, "-c", LISTENER)
    assert listener.stdout
    assert listener.stdout.readline() == "ready\n"
    act.loaded.parent.mkdir()
    act.loaded.touch()
    os.mkfifo(act.fifo)
    reader = os.open(act.fifo, os.O_RDONLY | os.O_NONBLOCK)
    reloading.reload(act, vassal(int(time.time()) + 100, listener.pid))
    assert os.read(reader, 10) == b"r"
    os.close(reader)
    assert act.loaded.read_text() == ""
    assert listener.poll() is None


def test_a_vassal_without_a_process_reads_its_file_when_it_starts(act: ActPaths) -> None:
    reloading.reload(act, vassal(int(time.time()) + 100))
    reloading.reload(act, None)
    assert second(act) < int(time.time())


def test_there_is_nothing_to_reload_without_a_file(act: ActPaths) -> None:
    act.vassal.unlink()
    with pytest.raises(FileNotFoundError):
        reloading.reload(act, vassal(0))
    assert not act.vassal.exists()


def test_whatever_is_in_the_place_of_the_pipe_takes_no_command(act: ActPaths) -> None:
    """Nothing is written elsewhere, and nothing is waited for."""
    known = vassal(int(act.vassal.stat().st_mtime), pid=os.getpid())
    act.loaded.parent.mkdir()
    digest = hashlib.sha256(act.vassal.read_bytes()).hexdigest()
    act.loaded.write_text(f"{os.getpid()}\n{digest}  {act.vassal}\n")
    elsewhere = act.venue.top / "elsewhere"
    elsewhere.write_text("as it was")
    assert not reloading.chain(act, known)
    os.mkfifo(act.fifo)  # nobody reads from it
    assert not reloading.chain(act, known)
    reader = os.open(act.fifo, os.O_RDONLY | os.O_NONBLOCK)
    assert reloading.chain(act, known)
    assert os.read(reader, 10) == b"c"
    os.close(reader)
    for link in (act.fifo.symlink_to, act.fifo.hardlink_to):
        act.fifo.unlink()
        link(elsewhere)
        assert not reloading.chain(act, known)
    assert elsewhere.read_text() == "as it was"
