"""People are told of an Act in trouble, by the watcher of a real Venue."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from backstage.act import Act
from backstage.doctor.finding import Severity
from backstage.facts.states import State
from backstage.facts.watching import Watching
from backstage.shortcuts import new_act, new_venue
from backstage.status import notice_memory
from backstage.system.deadlines import Deadline, until
from backstage.venue import Venue
from tests.watcher.receiving import Hook, hook

from ..patience import PATIENCE
from .calling import call

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def web() -> Iterator[Hook]:
    with hook() as one:
        yield one


@pytest.fixture(scope="module")
def calls(stage: Path) -> Path:
    """The file to which the command adds a line for each notice."""
    return stage / "calls"


@pytest.fixture(scope="module")
def house(stage: Path, web: Hook, calls: Path) -> Iterator[Venue]:
    venue = new_venue("told", stage)
    act = new_act(venue, "blog")
    with venue.paths.settings.open("a") as file:
        file.write(f"notify:\n  - {web.url}\n  - command: cat >>{calls}\n")
    venue.start()
    assert comes_true(lambda: act.state is State.RUNNING)
    yield venue
    venue.stop()


@pytest.fixture(scope="module")
def act(house: Venue) -> Act:
    return house["blog"]


def comes_true(condition: Callable[[], bool]) -> bool:
    return until(condition, Deadline(PATIENCE), pause=0.05)


def noted(calls: Path) -> list[dict[str, str]]:
    text = calls.read_text() if calls.exists() else ""
    return [json.loads(line) for line in text.splitlines()]


def spoil(act: Act) -> Path:
    wsgi = act.paths.top / "blog" / "wsgi.py"
    good = wsgi.with_name("good.py")
    if not good.exists():
        wsgi.rename(good)
    wsgi.write_text("import nothing_of_that_name\n")
    act.paths.vassal.touch()
    return wsgi


def mend(act: Act) -> None:
    wsgi = act.paths.top / "blog" / "wsgi.py"
    wsgi.with_name("good.py").replace(wsgi)
    act.start()


def told_by_doctor(venue: Venue) -> list[str]:
    found = [each for each in venue.examine() if each.check == "notify"]
    return [each.what for each in found if each.severity is not Severity.OK]


def test_a_failing_act_is_told_once_and_once_when_it_runs_again(
    house: Venue, act: Act, web: Hook, calls: Path
) -> None:
    """To all, though the watcher is killed meanwhile; a restart in between is not told."""
    act.restart()
    spoil(act)
    assert comes_true(lambda: len(noted(calls)) == 1 and len(web.bodies) == 1)
    (notice,) = noted(calls)
    assert (notice["kind"], notice["act"], notice["state"]) == ("trouble", "blog", "failing")
    assert "nothing_of_that_name" in notice["reason"]
    assert web.bodies[0]["title"] == "blog is failing"
    # Until the watcher knows what came of it, the next one would tell it again.
    assert comes_true(lambda: not notice_memory.read(house.paths).undelivered)
    pid = house.watcher.pid
    assert pid
    os.kill(pid, signal.SIGKILL)
    assert comes_true(lambda: house.watcher.state is Watching.RUNNING and house.watcher.pid != pid)
    mend(act)
    assert comes_true(lambda: len(noted(calls)) == 2 and len(web.bodies) == 2)
    assert [each["kind"] for each in noted(calls)] == ["trouble", "over"]
    assert web.bodies[1]["title"] == "blog runs again"


def test_the_watcher_itself_loads_none_of_it(house: Venue) -> None:
    pid = house.watcher.pid
    assert pid
    process = psutil.Process(pid)
    assert process.memory_full_info().pss < 30_000_000
    assert not [file for file in process.memory_maps() if "apprise" in file.path]


def test_a_test_says_what_came_of_each(house: Venue, web: Hook) -> None:
    done = call("notify", "test", cwd=house.path)
    assert (done.returncode, done.stderr) == (0, "")
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["✓", "✓"]
    assert [line.split()[-1] for line in done.stdout.splitlines()] == ["told", "told"]
    assert web.bodies[-1]["title"] == "a test"
    web.status = 500
    try:
        done = call("notify", "test", "--json", cwd=house.path)
    finally:
        web.status = 200
    assert done.returncode == 1
    first, second = json.loads(done.stdout)["result"]["targets"]
    assert (first["target"], second["error"]) == ("json://…", "")
    assert "500" in first["error"]


def test_a_target_that_cannot_be_told_is_named(house: Venue, act: Act, calls: Path) -> None:
    """By doctor and in the watcher's log; the watcher goes on, and the next one is told."""
    text = house.paths.settings.read_text()
    house.paths.settings.write_text(f"{text}  - command: echo no pager; exit 3\n")
    house.paths.settings.chmod(0o600)
    count = len(noted(calls))
    assert told_by_doctor(house) == []
    spoil(act)
    assert comes_true(lambda: len(noted(calls)) == count + 1)
    assert comes_true(lambda: len(told_by_doctor(house)) == 1)
    (said,) = told_by_doctor(house)
    assert said.startswith("echo no pager; exit 3 was not told at 20")
    assert said.endswith(": exit code 3: no pager")
    assert "cannot tell echo no pager" in house.paths.watcher_log.read_text()
    mend(act)
    assert comes_true(lambda: len(noted(calls)) == count + 2)


def test_nobody_named_is_said(stage: Path) -> None:
    venue = new_venue("mute", stage, start=False)
    done = call("notify", "test", cwd=venue.path)
    assert done.returncode == 1
    assert "No one is to be told. Name them in" in done.stderr
    assert json.loads(call("notify", "test", "--json", cwd=venue.path).stdout)["result"] == {
        "targets": []
    }
    assert told_by_doctor(venue) == []
    with venue.paths.settings.open("a") as file:
        file.write("watcher: off\nnotify: [json://127.0.0.1:9]\n")
    assert told_by_doctor(venue) == [
        "nobody is told: there is no watcher",
        "this Venue has no copy of Apprise",
        "others can read venue.yaml",
    ]
