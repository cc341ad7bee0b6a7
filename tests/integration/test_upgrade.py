"""Upgrades of Venues that run: one that version 0.1.0 made, and some that fail or are killed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from backstage.act import Act
from backstage.errors import ActFailed, UpgradeFailed
from backstage.facts.renewals import Cause, Fate
from backstage.facts.states import State
from backstage.facts.watching import Watching
from backstage.operations import upgrade_journal, venue_files
from backstage.operations.upgrade_journal import text_of
from backstage.shortcuts import new_act, new_venue, upgrade_venue, use_venue
from backstage.system.deadlines import Deadline, until
from backstage.venue import Venue

from ..operations.aged import age
from ..own_ports import own_ports
from ..patience import PATIENCE
from .calling import BACKSTAGE, call, environment
from .saving import renamed_with_an_old_date
from .visiting import visited

pytestmark = pytest.mark.slow

CHECKOUT = Path(__file__).parents[2]
# The last commit of version 0.1.0.
VERSION_0_1_0 = "40bbb20ff84ee37fc064842c2c5d8947999029a9"
DJANGO = "templates/django.ini"

MAKE = """
import pathlib, sys
import backstage
from backstage.shortcuts import new_act, new_venue
top, ports = pathlib.Path(sys.argv[1]), sys.argv[2]
assert backstage.__file__.startswith(sys.argv[3]), backstage.__file__
venue = new_venue(top.name, top.parent)
settings = top / "venue.yaml"
settings.write_text(settings.read_text().replace("8001-8999", ports))
for name in ("blog", "shop"):
    new_act(venue, name)
new_act(venue, "idle", start=False)
"""


@pytest.fixture(scope="module")
def old(stage: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Venue]:
    """A Venue made by version 0.1.0, with two Acts that run and one that does not."""
    source, top = tmp_path_factory.mktemp("version"), stage / "u_old"
    archive = ["git", "archive", "--format=tar", VERSION_0_1_0, "backstage", "emperor"]
    done = subprocess.run(
        [*archive, "vassal_templates"], cwd=CHECKOUT, capture_output=True, check=False
    )
    if done.returncode:
        pytest.skip("this is no clone with the history that has version 0.1.0")
    subprocess.run(["tar", "-x", "-C", source], input=done.stdout, check=True)
    ports = own_ports().of_acts
    words = [sys.executable, "-c", MAKE, top, f"{ports[0]}-{ports[-1]}", source]
    variables = {**os.environ, "PYTHONPATH": str(source)}
    subprocess.run(words, env=variables, cwd=stage, check=True, timeout=PATIENCE)
    venue = use_venue(top)
    yield venue
    venue.stop()


@pytest.fixture(scope="module")
def present(stage: Path) -> Iterator[Venue]:
    """A Venue of the present version, with two Acts that run."""
    venue = new_venue("u_new", stage)
    for name in ("blog", "shop"):
        new_act(venue, name)
    yield venue
    venue.stop()


def comes_true(condition: Callable[[], bool]) -> bool:
    return until(condition, Deadline(PATIENCE), pause=0.02)


def states(venue: Venue) -> dict[str, State]:
    return {act.name: act.state for act in venue}


def texts(venue: Venue) -> dict[str, str | None]:
    return {name: text_of(venue.path / name) for name in venue_files.texts(venue.paths)}


def status_of(act: Act) -> Callable[[], int]:
    url = act.url

    def ask() -> int:
        with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
            return int(answer.status)

    return ask


@contextmanager
def all_visited(*acts: Act) -> Iterator[dict[str, dict[str, int]]]:
    """Visit each of these Acts all the time."""
    with ExitStack() as visits:
        yield {act.name: visits.enter_context(visited(status_of(act), 1)) for act in acts}


def sed(path: Path, expression: str) -> None:
    subprocess.run(["sed", "-i", expression, path], check=True)


def test_a_venue_of_the_first_version_works_with_this_one(old: Venue) -> None:
    """Before it is upgraded, as afterwards."""
    assert states(old) == {"blog": State.RUNNING, "shop": State.RUNNING, "idle": State.STOPPED}
    assert old.watcher.state is Watching.UNSUPPORTED
    old["blog"].restart()
    sed(old["shop"].paths.vassal, "s/^threads = .*/threads = 5/")
    assert comes_true(lambda: old["shop"].snapshot().threads == 5)
    assert comes_true(lambda: old["shop"].state is State.RUNNING)
    told = {finding.check: finding for finding in old.examine() if finding.check == "files"}
    assert told["files"].command == "backstage upgrade"
    assert call("status", cwd=old.path).returncode == 0


def test_it_is_upgraded_without_a_failed_request(old: Venue) -> None:
    """What was edited stays, what was stopped stays so, and the Emperor is not touched."""
    sed(old.path / DJANGO, "s/^harakiri = 60/harakiri = 120/")
    emperor, before = old.emperor.pid, texts(old)
    planned = upgrade_venue(old, dry_run=True)
    assert texts(old) == before
    with all_visited(old["blog"], old["shop"]) as counts:
        made = upgrade_venue(old)
    assert {name: each["failed"] for name, each in counts.items()} == {"blog": 0, "shop": 0}
    assert all(each["answered"] for each in counts.values())
    assert (made.files, made.restarted) == (planned.files, ("blog", "shop"))
    fates = {each.file: each.fate for each in made.files}
    assert fates.pop(DJANGO) is Fate.KEPT
    assert fates.pop("emperor.ini") is Fate.WAITS
    for name in ("templates/environment.py", "templates/loaded.py"):
        assert fates.pop(name) is Fate.ADDED
    assert set(fates.values()) == {Fate.RENEWED}
    assert text_of(old.path / DJANGO) == before[DJANGO]
    assert text_of(old.path / f"{DJANGO}.new") == venue_files.texts(old.paths)[DJANGO]
    assert old.emperor.pid == emperor
    assert states(old) == {"blog": State.RUNNING, "shop": State.RUNNING, "idle": State.STOPPED}
    assert made.emperor
    assert made.emperor.causes == (Cause.CONFIGURATION, Cause.WATCHER)
    assert not upgrade_venue(old).changes


def test_it_works_afterwards(old: Venue) -> None:
    """With the operator's merge, which the Acts take with a restart, and show before."""
    new = (old.path / f"{DJANGO}.new").read_text()
    (old.path / DJANGO).write_text(new.replace("harakiri = 60", "harakiri = 120"))
    (old.path / f"{DJANGO}.new").unlink()
    old["blog"].restart()
    assert old["blog"].paths.loaded.exists()
    old["idle"].start()
    old["idle"].stop()
    (kept,) = [each for each in upgrade_venue(old, dry_run=True).files if each.fate is Fate.KEPT]
    assert (kept.file, kept.edits, kept.beside) == (
        DJANGO, ("-harakiri = 60", "+harakiri = 120"), "",
    )  # fmt: skip


def test_the_emperor_is_replaced_when_told(old: Venue) -> None:
    """The Venue then has a watcher, which takes an edit that the Emperor alone would not."""
    emperor = old.emperor.pid
    done = call("upgrade", "--restart-emperor", cwd=old.path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "replaced  the Emperor (emperor.ini, the watcher)" in done.stdout
    assert old.emperor.pid not in {None, emperor}
    assert states(old) == {"blog": State.RUNNING, "shop": State.RUNNING, "idle": State.STOPPED}
    assert old.watcher.state is Watching.RUNNING
    vassal = old["shop"].paths.vassal
    renamed_with_an_old_date(vassal, vassal.read_text().replace("threads = 5", "threads = 3"))
    assert comes_true(lambda: old["shop"].snapshot().threads == 3)
    told = upgrade_venue(old)
    assert (told.changes, told.waits) == (False, False)


def test_the_watcher_runs_the_new_copy_and_no_act_notices(present: Venue) -> None:
    assert comes_true(lambda: present.watcher.state is Watching.RUNNING)
    watcher, pids = present.watcher.pid, {act.name: act.pid for act in present}
    (present.paths.library / "backstage/py.typed.py").write_text("# Of an earlier version.\n")
    made = upgrade_venue(present)
    assert (made.library, made.restarted) == (True, ())
    assert present.watcher.state is Watching.RUNNING
    assert present.watcher.pid != watcher
    assert {act.name: act.pid for act in present} == pids


def test_a_template_that_breaks_an_act_is_undone(
    present: Venue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a hook that fails only for the second Act, and only in uWSGI itself."""
    shipped = venue_files.texts(present.paths)
    hook = 'hook-asap = exec:test "%(act)" != shop\n'
    new = {**shipped, DJANGO: f"{shipped[DJANGO]}{hook}", "templates/more": "# more\n"}
    before = texts(present)
    with monkeypatch.context() as patch, all_visited(present["blog"]) as counts:
        patch.setattr(venue_files, "texts", lambda _: new)
        with pytest.raises(UpgradeFailed, match="everything is as before") as told:
            upgrade_venue(present)
    assert isinstance(told.value.cause, ActFailed)
    assert told.value.cause.name == "shop"
    assert counts["blog"]["failed"] == 0
    assert counts["blog"]["answered"]
    assert texts(present) == before
    assert not (present.path / "templates/more").exists()
    assert not present.paths.upgrade.exists()
    assert states(present) == dict.fromkeys(("blog", "shop"), State.RUNNING)
    assert all(act.snapshot().untaken is None for act in present)


def test_a_template_that_uwsgi_rejects_never_reaches_an_act(
    present: Venue, monkeypatch: pytest.MonkeyPatch
) -> None:
    shipped = venue_files.texts(present.paths)
    new = {**shipped, DJANGO: f"{shipped[DJANGO]}thraeds = 4\n"}
    before, pids = texts(present), {act.name: act.pid for act in present}
    with monkeypatch.context() as patch:
        patch.setattr(venue_files, "texts", lambda _: new)
        with pytest.raises(UpgradeFailed, match="unknown option 'thraeds'"):
            upgrade_venue(present)
    assert texts(present) == before
    assert {act.name: act.pid for act in present} == pids


def test_one_that_is_killed_between_two_acts_is_repaired_by_the_next(present: Venue) -> None:
    age(present.paths, DJANGO, "templates/end.py")
    words = [BACKSTAGE, "upgrade", "--venue", present.path]
    victim = subprocess.Popen(words, env=environment(), stdout=subprocess.DEVNULL)
    with victim:
        deadline = Deadline(PATIENCE)
        while not ((journal := upgrade_journal.read(present.paths)) and journal.restarted):
            assert not deadline.expired
            time.sleep(0.002)
        victim.send_signal(signal.SIGKILL)
    assert journal.restarted == ("blog",)
    with all_visited(present["blog"], present["shop"]) as counts:
        done = call("upgrade", "--json", cwd=present.path)
    assert '"restarted": ["blog", "shop"]' in done.stdout, done.stdout
    assert {name: each["failed"] for name, each in counts.items()} == {"blog": 0, "shop": 0}
    assert texts(present) == venue_files.texts(present.paths)
    assert not present.paths.upgrade.exists()
    assert all(act.snapshot().untaken is None for act in present)


def test_an_act_that_did_not_run_well_is_passed_over(present: Venue) -> None:
    """It would fail without the upgrade, too."""
    urls = present["shop"].paths.top / "shop" / "urls.py"
    good = urls.read_text()
    urls.write_text("import nothing_of_that_name\n")
    with pytest.raises(ActFailed):
        present["shop"].restart(check=False)
    age(present.paths, DJANGO)
    made = upgrade_venue(present)
    assert (made.restarted, made.passed_over) == (("blog",), ("shop",))
    urls.write_text(good)
    present["shop"].restart()


def test_a_uwsgi_that_was_replaced_needs_a_new_emperor(present: Venue) -> None:
    """It waits, as the Emperor that runs has the old one."""
    program = present.path / "bin" / "uwsgi"
    shutil.copy2(program, present.path / "copy")
    (present.path / "copy").replace(program)
    told = upgrade_venue(present)
    assert told.waits
    assert not told.changes
    assert told.emperor
    assert told.emperor.causes == (Cause.UWSGI,)
    assert upgrade_venue(present, restart_emperor=True).replaced
    assert not upgrade_venue(present).waits
    assert states(present) == dict.fromkeys(("blog", "shop"), State.RUNNING)


@pytest.mark.parametrize(
    ("broken", "old", "new"),
    [("emperor.ini", "flock", "flokc"), ("templates/launch", "set -eu", "exit 1")],
)
def test_an_emperor_that_fails_is_undone(present: Venue, broken: str, old: str, new: str) -> None:
    """Whether it does not start at all or only starts no Act: all run again under the old one."""
    paths = present.paths
    age(paths, "emperor.ini")
    before, shipped = texts(present), venue_files.texts(paths)
    shipped["emperor.ini"] = shipped["emperor.ini"].replace("procname = ", "procname = new ")
    shipped[broken] = shipped[broken].replace(old, new, 1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(venue_files, "texts", lambda _: shipped)
        with pytest.raises(UpgradeFailed, match="everything is as before"):
            upgrade_venue(present, restart_emperor=True)
    assert texts(present) == before
    assert states(present) == dict.fromkeys(("blog", "shop"), State.RUNNING)
    title = Path(f"/proc/{present.emperor.pid}/cmdline").read_text()
    assert title.startswith("backstage emperor ")


def test_all_venues_of_this_user(present: Venue, old: Venue) -> None:
    """One that fails does not stop the others."""
    age(present.paths, "templates/end.py")
    (old.paths.templates / "end.py").unlink()
    (old.paths.templates / "end.py").mkdir()
    done = call("upgrade", "--all", "--json", cwd=present.path)
    assert done.returncode == 6
    lines = {line for line in done.stdout.splitlines() if "u_new" in line or "u_old" in line}
    (good,) = [line for line in lines if "u_new" in line]
    (bad,) = [line for line in lines if "u_old" in line]
    assert '"ok": true' in good
    assert '"ok": false' in bad
    assert "CannotWrite" in bad
    shutil.rmtree(old.paths.templates / "end.py")
