"""The watcher of a Venue, with a real Emperor: always there, and in nobody's way."""

from __future__ import annotations

import errno
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from backstage.act import Act
from backstage.doctor.finding import Finding
from backstage.errors import CannotWrite
from backstage.facts.states import State
from backstage.facts.watching import Watching
from backstage.shortcuts import new_act, new_venue
from backstage.system import processes
from backstage.system.deadlines import Deadline, until
from backstage.venue import Venue

from ..conftest import Spawn
from ..patience import PATIENCE
from .calling import call
from .conftest import processes_within
from .saving import renamed_with_an_old_date

pytestmark = pytest.mark.slow


# In bytes of PSS.
MOST_MEMORY = 30_000_000


@pytest.fixture(scope="module")
def house(stage: Path) -> Iterator[Venue]:
    venue = new_venue("watched", stage)
    yield venue
    venue.stop()


@pytest.fixture(scope="module")
def act(house: Venue) -> Act:
    return new_act(house, "blog")


def comes_true(condition: Callable[[], bool]) -> bool:
    return until(condition, Deadline(PATIENCE), pause=0.02)


def watching(venue: Venue, *, other_than: int | None = None) -> int:
    """The pid of the watcher, which must run."""
    deadline = Deadline(PATIENCE)
    while (seen := venue.watcher).state is not Watching.RUNNING or seen.pid in {None, other_than}:
        assert not deadline.expired, seen
        time.sleep(0.02)
    assert seen.pid
    return seen.pid


def has_threads(act: Act, number: int) -> bool:
    return comes_true(lambda: act.snapshot().threads == number)


def listed(venue: Venue) -> list[str]:
    """The vassals of the Emperor, by file name."""
    stats = venue.emperor.stats()
    assert stats
    return list(stats.vassals)


def of_watcher(venue: Venue) -> list[psutil.Process]:
    """Its processes: the script that the Emperor runs, and the watcher itself."""
    found = processes_within(venue.path)
    marks = (".watcher.ini", str(venue.paths.own))
    return [each for each in found if any(mark in " ".join(each.cmdline()) for mark in marks)]


def told_of_watcher(venue: Venue) -> Finding:
    """What doctor says of it."""
    (told,) = [finding for finding in venue.examine() if finding.check == "watcher"]
    return told


# Ways to change the number of threads in a vassal file.
def sed(path: Path, threads: int) -> None:
    subprocess.run(["sed", "-i", f"s/^threads = .*/threads = {threads}/", path], check=True)


def old_copy(path: Path, threads: int) -> None:
    copy = path.parents[1] / "copy"
    shutil.copy(path, copy)
    sed(copy, threads)
    os.utime(copy, (1_500_000_000, 1_500_000_000))
    subprocess.run(["cp", "-p", copy, path], check=True)
    copy.unlink()


def moved_in(path: Path, threads: int) -> None:
    text = re.sub("^threads = .*", f"threads = {threads}", path.read_text(), flags=re.MULTILINE)
    renamed_with_an_old_date(path, text)


def from_the_future(path: Path, threads: int) -> None:
    sed(path, threads)
    subprocess.run(["touch", "-d", "+1 hour", path], check=True)


@pytest.mark.parametrize("edit", [sed, old_copy, from_the_future, moved_in])
def test_an_edit_is_taken_up_while_no_command_runs(
    house: Venue, act: Act, edit: Callable[[Path, int], None]
) -> None:
    """Within the second of a start, with any date, and after a date from the future."""
    watching(house)
    act.stop()
    act.start()
    edit(act.paths.vassal, 6)
    assert has_threads(act, 6)
    edit(act.paths.vassal, 3)
    assert has_threads(act, 3)


def test_an_edit_whose_reload_was_lost_is_loaded(house: Venue, act: Act) -> None:
    """Whatever became of the request: what runs is compared with what is on disk."""
    watching(house)
    record = act.paths.loaded
    assert comes_true(lambda: act.snapshot().untaken is None and act.state is State.RUNNING)
    workers = {worker.pid for worker in psutil.Process(act.pid).children()}
    former = re.sub(r"^[0-9a-f]{64}(?=  .*/vassals/)", "0" * 64, record.read_text(), flags=re.M)
    record.write_text(former)
    assert act.snapshot().untaken
    assert comes_true(lambda: act.snapshot().untaken is None and act.state is State.RUNNING)
    assert not workers & {worker.pid for worker in psutil.Process(act.pid).children()}


def test_an_edit_that_cannot_work_is_refused(house: Venue, act: Act) -> None:
    watching(house)
    assert comes_true(lambda: act.state is State.RUNNING)
    pid, text = act.pid, act.paths.vassal.read_text()
    for line in ("thraeds = 4", "threads = 3"):
        renamed_with_an_old_date(act.paths.vassal, text.replace("threads = 3", line))
        is_bad = line.startswith("thraeds")
        assert comes_true(lambda is_bad=is_bad: (act.snapshot().refused is not None) is is_bad)
        assert comes_true(lambda: act.state is State.RUNNING)
        assert act.pid == pid


def test_it_is_no_act(house: Venue, act: Act) -> None:
    """Whatever lists Acts, also when it comes and goes."""
    with house.events(timeout=2.0) as events:
        os.kill(watching(house), signal.SIGKILL)
        assert {event.act for event in events} <= {"blog"}
    assert [each.name for each in house] == ["blog"]
    assert [now.name for now in house.snapshot()] == ["blog"]
    shown = call("status", "--json", cwd=house.path).stdout
    assert '"acts": [{"name": "blog"' in shown or '"acts":[{"name":"blog"' in shown
    assert "watcher.ini" not in shown
    told = [finding for finding in house.examine() if "watcher" in str(finding)]
    assert [finding.check for finding in told] == ["watcher"]
    script = [house.paths.python, house.paths.templates / "ready.py", house.path, "30"]
    assert subprocess.run(script, timeout=PATIENCE, check=False).returncode == 0


def test_it_comes_back_and_leaves_all_others_alone(house: Venue, act: Act) -> None:
    emperor, master, pid = house.emperor.pid, act.pid, watching(house)
    os.kill(pid, signal.SIGKILL)
    again = watching(house, other_than=pid)
    # The script that the Emperor runs, killed too.
    script, _ = of_watcher(house)
    script.kill()
    watching(house, other_than=again)
    assert comes_true(lambda: len(of_watcher(house)) == 2)
    assert (house.emperor.pid, act.pid, act.state) == (emperor, master, State.RUNNING)


def test_a_halted_one_is_in_nobodys_way(house: Venue, act: Act) -> None:
    pid = watching(house)
    os.kill(pid, signal.SIGSTOP)
    assert comes_true(lambda: house.watcher.state is Watching.HALTED)
    act.restart()
    act.stop()
    act.start()
    assert call("status", cwd=house.path).stdout.splitlines()[-1] == (
        f"The watcher is halted, pid {pid}; to learn more: backstage doctor"
    )
    assert told_of_watcher(house).command == f"kill -CONT {pid}"
    house.stop()
    assert not processes_within(house.path)
    house.start()
    watching(house, other_than=pid)


def test_there_is_only_one(house: Venue, spawn: Spawn) -> None:
    """The kernel says so: a second one ends, whoever starts it."""
    pid = watching(house)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        script = house.paths.templates / "launch"
        variables = {**os.environ, "UWSGI_EMPEROR_FD": str(theirs.fileno())}
        second = spawn(script, ".watcher.ini", env=variables, pass_fds=[theirs.fileno()])
        assert second.wait(PATIENCE) == 1
    assert house.paths.watcher_log.read_text() == "another watcher runs\n"
    assert house.watcher.pid == pid


def test_it_takes_little_memory(house: Venue, act: Act) -> None:
    pid = watching(house)
    sed(act.paths.vassal, 5)
    assert has_threads(act, 5)
    total = sum(process.memory_full_info().pss for process in of_watcher(house))
    assert house.watcher.pid == pid
    assert total < MOST_MEMORY


def test_it_dies_with_the_emperor(house: Venue) -> None:
    watching(house)
    family, emperor = of_watcher(house), house.emperor.pid
    assert len(family) == 2
    assert emperor
    os.kill(emperor, signal.SIGKILL)
    assert comes_true(lambda: not processes.running(family))
    house.start()
    watching(house)


def test_one_that_is_broken_disturbs_nobody(house: Venue, act: Act) -> None:
    """The Emperor tries it less and less often; doctor says why it fails, and what to type."""
    pid, master, emperor = watching(house), act.pid, house.emperor.pid
    (house.paths.library / "yaml" / "__init__.py").write_text("import nothing_of_that_name\n")
    os.kill(pid, signal.SIGKILL)
    assert comes_true(lambda: "nothing_of_that_name" in told_of_watcher(house).what)
    assert house.watcher.state is Watching.MISSING
    sed(act.paths.vassal, 4)
    act.restart()
    assert (house.emperor.pid, act.pid, act.state) == (emperor, master, State.RUNNING)
    told = told_of_watcher(house)
    assert told.what == "does not run: ModuleNotFoundError: No module named 'nothing_of_that_name'"
    assert told.command == f"rm {house.paths.library} && backstage venue start"
    house.paths.library.unlink()
    house.start()
    watching(house)
    assert act.pid == master


def test_what_it_lacks_keeps_no_emperor_from_starting(
    house: Venue, act: Act, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_paths: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    house.stop()
    house.paths.library.unlink()
    monkeypatch.setattr("backstage.virtualenvs.private_copy.make", fail)
    with pytest.raises(CannotWrite, match=r"the watcher of .*No space left"):
        house.start()
    assert comes_true(lambda: act.state is State.RUNNING)
    monkeypatch.undo()
    house.start()
    watching(house)


def test_the_setting_turns_it_off_and_on(house: Venue, act: Act) -> None:
    """Off at once, on with the next start of the Venue; the Acts run on."""
    master, text = act.pid, house.paths.settings.read_text()
    watching(house)
    house.paths.settings.write_text(f"{text}watcher: off\n")
    assert comes_true(lambda: house.watcher.state is Watching.OFF)
    assert comes_true(lambda: not of_watcher(house))
    assert comes_true(lambda: listed(house) == ["blog.ini"])
    assert "The watcher is off" in call("status", cwd=house.path).stdout
    house.stop()
    house.start()
    assert not house.paths.watcher.exists()
    house.paths.settings.write_text(text)
    assert house.watcher.state in {Watching.STARTING, Watching.MISSING}
    house.start()
    watching(house)
    assert comes_true(lambda: act.state is State.RUNNING)
    assert act.pid != master


def test_it_ends_with_the_venue(house: Venue) -> None:
    watching(house)
    house.stop()
    assert house.watcher.state is Watching.STOPPED
    assert not processes_within(house.path)
    house.start()
    house.stop()
    assert not processes_within(house.path)
    house.start()


def test_a_venue_of_the_version_before_works_without(stage: Path) -> None:
    """It has no directory for it, and no line in emperor.ini and in the script."""
    venue = new_venue("before", stage, start=False)
    shutil.rmtree(venue.paths.own)
    for file in (venue.paths.emperor_ini, venue.paths.templates / "launch"):
        text = file.read_text()
        begin = text.find("# The watcher is no Act")
        text = text[:begin] + text[text.find("# Nobody else may be able") :] if begin > 0 else text
        lines = [line for line in text.splitlines() if "residents" not in line]
        file.write_text("\n".join(lines) + "\n")
    venue.start()
    act = new_act(venue, "old")
    act.restart()
    assert venue.watcher.state is Watching.UNSUPPORTED
    assert not venue.paths.own.exists()
    assert [each.name for each in venue] == ["old"]
    venue.stop()
