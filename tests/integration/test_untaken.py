"""Edits of vassal files while nobody watches: taken, or seen to wait."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from backstage.act import Act
from backstage.doctor.finding import Severity
from backstage.facts.states import State
from backstage.shortcuts import new_act, new_venue
from backstage.system.deadlines import Deadline, until
from backstage.uwsgi import loaded
from backstage.venue import Venue
from tests.patience import PATIENCE

from .calling import call
from .conftest import fetch
from .saving import renamed_with_an_old_date

pytestmark = pytest.mark.slow

THREADS = re.compile(r"^threads = .*$", re.MULTILINE)
# Each edit asks for another number of threads.
_numbers = count(5)


@pytest.fixture(scope="module")
def venue(stage: Path) -> Iterator[Venue]:
    """A Venue without a watcher, which would take up every edit."""
    venue = new_venue("unwatched", stage, start=False)
    venue.paths.settings.write_text("watcher: off\n")
    venue.start()
    yield venue
    venue.stop()


@pytest.fixture(scope="module")
def act(venue: Venue) -> Act:
    act = new_act(venue, "unwatched")
    assert act.state is State.RUNNING
    return act


def edited(act: Act, threads: int) -> str:
    return THREADS.sub(f"threads = {threads}", act.vassal_text)


def written(path: Path, text: str) -> None:
    path.write_text(text)


def renamed(path: Path, text: str) -> None:
    new = path.with_suffix(".new")
    new.write_text(text)
    new.replace(path)


def written_with_a_coming_date(path: Path, text: str) -> None:
    path.write_text(text)
    os.utime(path, (time.time() + 3600, time.time() + 3600))


def replaced_by_sed(path: Path, text: str) -> None:
    (line,) = THREADS.findall(text)
    subprocess.run(["sed", "-i", f"s/^threads.*/{line}/", path], check=True)


Edit = Callable[[Path, str], None]
WAYS = [written, renamed, renamed_with_an_old_date, written_with_a_coming_date, replaced_by_sed]


def runs_with(act: Act, threads: int) -> bool:
    seen = act.snapshot()
    return seen.state is State.RUNNING and seen.threads == threads


def waits(act: Act) -> bool:
    untaken = act.snapshot().untaken
    return untaken is not None and untaken.is_own


@pytest.mark.parametrize("way", [written, renamed, replaced_by_sed])
def test_an_edit_in_the_second_of_a_start_is_taken(act: Act, way: Edit) -> None:
    """A start gives the file its own date, so that every later one is news to the Emperor."""
    for _ in range(2):
        act.stop()
        act.start()
        threads = next(_numbers)
        way(act.paths.vassal, edited(act, threads))
        assert until(lambda threads=threads: runs_with(act, threads), Deadline(PATIENCE))  # type: ignore[misc]
        assert act.snapshot().untaken is None


@pytest.mark.parametrize("way", WAYS)
def test_every_edit_is_taken_or_seen_to_wait(act: Act, way: Edit) -> None:
    """At any time after a restart, and after another edit."""
    for verb, pause in ((act.restart, 0.0), (act.restart, 0.4), (lambda: None, 1.3)):
        verb()
        time.sleep(pause)
        threads = next(_numbers)
        way(act.paths.vassal, edited(act, threads))
        assert until(
            lambda threads=threads: runs_with(act, threads) or waits(act),  # type: ignore[misc]
            Deadline(PATIENCE),
        )
    act.restart()
    assert runs_with(act, threads)
    assert act.snapshot().untaken is None


def test_a_restart_works_whatever_the_dates_say(act: Act) -> None:
    """Also when the Emperor has acted on a file that came from the future."""
    for ahead in (3600, -3600):
        act.paths.vassal.write_text(edited(act, threads := next(_numbers)))
        os.utime(act.paths.vassal, (time.time() + ahead, time.time() + ahead))
        act.restart()
        assert runs_with(act, threads)
        # Whenever the Emperor acts on the date of the first, a restart works.
        act.paths.vassal.write_text(edited(act, threads := next(_numbers)))
        act.restart()
        assert runs_with(act, threads)
    act.stop()
    act.start()


def test_many_restarts_date_nothing_into_the_future(act: Act) -> None:
    for _ in range(4):
        act.restart()
        assert act.paths.vassal.stat().st_mtime < int(time.time())
    assert fetch(act)[0] == 200


def test_an_edit_that_waits_is_told_everywhere(act: Act, venue: Venue) -> None:
    name = act.name
    act.restart()
    before = act.vassal_text
    renamed_with_an_old_date(act.paths.vassal, edited(act, next(_numbers)))
    assert until(lambda: waits(act), Deadline(PATIENCE))
    snapshot = act.snapshot()
    moment = time.strftime("%H:%M", time.localtime(act.paths.vassal.stat().st_ctime))
    told = f"edited {moment}, not taken; type: backstage restart {name}"
    assert (snapshot.state, snapshot.reason) == (State.RUNNING, told)
    assert told in call("status", name, cwd=venue.path).stdout
    found = [each for each in venue.examine(name) if each.severity is Severity.WARNING]
    assert [(each.subject, each.what) for each in found if each.subject == name] == [
        (name, f"edited {moment}, not taken")
    ]
    edit = call("edit", name, cwd=venue.path, env={"EDITOR": "true"})
    assert f"{name} does not run with this text yet: {told}" in edit.stderr
    # The text is what runs again, so nothing waits.
    renamed_with_an_old_date(act.paths.vassal, before)
    assert act.snapshot().untaken is None


def test_a_template_that_waits_is_named(act: Act) -> None:
    act.restart()
    template = act.paths.venue.templates / "django.ini"
    text = template.read_text()
    template.write_text(f"{text}# mine\n")
    untaken = act.snapshot().untaken
    assert untaken
    assert (untaken.file, untaken.is_own) == ("templates/django.ini", False)
    assert untaken.what.startswith("templates/django.ini edited ")
    act.restart()
    assert act.snapshot().untaken is None
    template.write_text(text)
    act.restart()


def test_a_stopped_act_has_loaded_nothing(act: Act) -> None:
    pid = act.pid
    assert pid
    assert loaded.is_loaded(act.paths, pid)
    act.stop()
    assert loaded.is_loaded(act.paths, pid) is None
    act.start()


def test_an_act_without_a_record_says_nothing(act: Act) -> None:
    """As in a Venue made by an older release."""
    record = act.paths.loaded
    kept = record.with_suffix(".kept")
    shutil.copy(record, kept)
    assert act.pid
    loaded.withdraw(act.paths)
    assert loaded.is_loaded(act.paths, act.pid) is None
    assert act.state is State.RUNNING
    for damage in (
        record.unlink,
        lambda: record.write_bytes(b"\xff" * 100),
        lambda: os.mkfifo(record),
    ):
        damage()
        assert loaded.is_loaded(act.paths, act.pid) is None
        assert act.snapshot().untaken is None
        record.unlink(missing_ok=True)
    kept.rename(record)
    assert loaded.is_loaded(act.paths, act.pid)


def test_an_act_that_was_told_to_have_no_workers_says_so(act: Act) -> None:
    """Nobody refused the edit, as nobody watched; the Act would be reloading for ever."""
    act.restart()
    before = act.vassal_text
    lines = [line for line in before.splitlines() if not line.startswith("processes")]
    act.paths.vassal.write_text("\n".join([*lines, "processes = 0", ""]))
    why = f"vassals/unwatched.ini, line {len(lines) + 1}: without workers it answers no request"
    assert until(lambda: act.snapshot().reason == why, Deadline(PATIENCE))
    assert act.state is State.FAILING
    act.paths.vassal.write_text(before)
    act.restart()
    assert act.state is State.RUNNING
