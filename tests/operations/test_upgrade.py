"""Upgrading a Venue that does not run: what is done, refused, undone and repaired."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from backstage.errors import Busy, CannotWrite, NotAllowed
from backstage.facts.renewals import Cause, Fate
from backstage.layout import shipped_files, shipped_record
from backstage.layout.paths import VenuePaths
from backstage.layout.shipped_record import Record
from backstage.operations import upgrade, upgrade_journal, upgrade_steps, venue_files
from backstage.operations.new_venue import configure
from backstage.operations.upgrade_journal import Journal, text_of
from backstage.system import processes, users
from backstage.venue import Venue
from backstage.virtualenvs import private_copy

from ..conftest import Spawn
from .aged import age

LAUNCH, READY, EMPEROR = "templates/launch", "templates/ready.py", "emperor.ini"
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can act for another user")


@pytest.fixture
def venue(tmp_path: Path) -> Venue:
    """Files of an earlier version in a Venue that has no environment and does not run."""
    paths = VenuePaths(tmp_path)
    configure(paths)
    private_copy.make(paths)
    age(paths, LAUNCH, READY, EMPEROR)
    return Venue(paths)


def texts(venue: Venue) -> dict[str, str | None]:
    return {name: text_of(venue.path / name) for name in venue_files.texts(venue.paths)}


def test_everything_is_done_at_once(venue: Venue) -> None:
    """As there is no Emperor that all Acts would have to wait for."""
    shutil.rmtree(venue.paths.residents)
    planned = upgrade.plan(venue)
    assert planned.changes
    assert not planned.waits
    assert text_of(venue.path / LAUNCH) != venue_files.texts(venue.paths)[LAUNCH]
    made = upgrade.upgrade(venue)
    assert made.done
    assert made.files == planned.files
    assert {each.file: each.fate for each in made.files} == dict.fromkeys(
        (LAUNCH, READY, EMPEROR), Fate.RENEWED
    )
    assert made.emperor is None
    assert texts(venue) == venue_files.texts(venue.paths)
    assert venue.paths.watcher.exists()
    assert shipped_record.read(venue.paths).shipped == shipped_files.digest()
    assert not upgrade.plan(venue).changes
    assert not venue.paths.upgrade.exists()


def test_the_private_copy_is_renewed(venue: Venue) -> None:
    before = private_copy.in_use(venue.paths)
    (venue.paths.library / "backstage/venue.py").write_text("# An earlier version.\n")
    assert upgrade.plan(venue).library
    assert upgrade.upgrade(venue).library
    assert private_copy.in_use(venue.paths) != before
    assert private_copy.is_current(venue.paths)
    assert len([*venue.paths.own.glob("library-*")]) == 1


def test_a_copy_that_has_gone_is_made_anew(venue: Venue) -> None:
    shutil.rmtree(venue.paths.library.resolve())
    assert upgrade.upgrade(venue).library
    assert private_copy.is_current(venue.paths)


def test_an_older_library_refuses(venue: Venue) -> None:
    record = shipped_record.read(venue.paths)
    shipped_record.write(venue.paths, Record("99.1", "", record.texts))
    before = texts(venue)
    for call in (upgrade.plan, upgrade.upgrade):
        with pytest.raises(NotAllowed, match=r"by Backstage 99\.1, .* install 99\.1 or newer"):
            call(venue)
    assert texts(venue) == before


def test_the_venue_of_another_user_is_left_alone(
    venue: Venue, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = users.name_of(venue.path.stat().st_uid)
    monkeypatch.setattr(upgrade.os, "geteuid", lambda: 12345)
    monkeypatch.setattr(users, "am_root", lambda: False)
    told = f"type: sudo -u {owner} {users.program()} upgrade --venue {venue.path}"
    with pytest.raises(NotAllowed, match=told):
        upgrade.plan(venue)


def test_only_one_upgrades(venue: Venue, spawn: Spawn) -> None:
    """The other one does not touch what the first one has written down."""
    other = spawn("sleep", "600")
    facts = processes.facts(other.pid)
    assert facts
    journal = Journal(pid=other.pid, began=facts.began, files={}, copy="", has_residents=True)
    upgrade_journal.write(venue.paths, journal)
    before = texts(venue)
    for call in (upgrade.plan, upgrade.upgrade):
        with pytest.raises(Busy, match=f"pid {other.pid}"):
            call(venue)
    assert texts(venue) == before
    assert upgrade_journal.read(venue.paths) == journal
    other.kill()
    other.wait()
    upgrade.upgrade(venue)
    assert texts(venue) == venue_files.texts(venue.paths)


def killed_after(venue: Venue, step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """End a process that upgrades as `kill -9` would, right after this step."""
    child = os.fork()
    if child == 0:
        done: Callable[..., object] = getattr(upgrade_steps, step)

        def then_killed(*words: object, **named: object) -> None:
            done(*words, **named)
            os.kill(os.getpid(), 9)

        monkeypatch.setattr(upgrade_steps, step, then_killed)
        upgrade.upgrade(venue)
        os._exit(1)
    assert os.waitpid(child, 0)[1] == 9


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.parametrize("step", ["begin", "prepare_emperor", "commit"])
def test_one_that_was_killed_is_repaired_by_the_next(
    venue: Venue, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed_after(venue, step, monkeypatch)
    upgrade.upgrade(venue)
    assert texts(venue) == venue_files.texts(venue.paths)
    assert shipped_record.read(venue.paths).shipped == shipped_files.digest()
    assert not venue.paths.upgrade.exists()
    assert {path.name for path in venue.paths.own.glob("library-*")} == {
        private_copy.in_use(venue.paths)
    }


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_edits_after_a_kill_are_kept(venue: Venue, monkeypatch: pytest.MonkeyPatch) -> None:
    killed_after(venue, "begin", monkeypatch)
    launch = venue.path / LAUNCH
    launch.write_text(launch.read_text() + "# mine\n")
    made = upgrade.upgrade(venue)
    assert launch.read_text().endswith("# mine\n")
    (kept,) = [each for each in made.files if each.fate is Fate.KEPT]
    assert kept.edits == ("+# mine",)


def test_a_file_that_cannot_be_read_stops_it_before_anything_changes(venue: Venue) -> None:
    ready = venue.path / READY
    ready.unlink()
    ready.mkdir()
    launch = text_of(venue.path / LAUNCH)
    with pytest.raises(CannotWrite, match=r"cannot upgrade .*/templates/ready\.py"):
        upgrade.upgrade(venue)
    assert text_of(venue.path / LAUNCH) == launch
    assert not venue.paths.upgrade.exists()


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.parametrize("is_second", [False, True])
def test_a_disk_that_refuses_undoes_it(
    venue: Venue, is_second: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Together with what one that was killed before has done."""
    before, copy = texts(venue), private_copy.in_use(venue.paths)
    if is_second:
        killed_after(venue, "begin", monkeypatch)
        monkeypatch.undo()
        assert texts(venue) != before
    (venue.paths.library / "backstage/venue.py").write_text("# An earlier version.\n")

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device", "library")

    monkeypatch.setattr(private_copy.copying, "copy", refuse)
    with pytest.raises(CannotWrite, match="No space left on device"):
        upgrade.upgrade(venue)
    assert texts(venue) == before
    assert private_copy.in_use(venue.paths) == copy
    assert venue.paths.upgrade.exists() is is_second


def test_the_emperor_s_files_wait_for_it(venue: Venue, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the record tells that not everything is done."""
    monkeypatch.setattr(type(venue.emperor), "pid", os.getpid())
    made = upgrade.upgrade(venue)
    assert made.emperor
    assert made.emperor.causes == (Cause.CONFIGURATION,)
    assert (made.waits, made.replaced) == (True, False)
    (waits,) = [each for each in made.files if each.fate is Fate.WAITS]
    assert (waits.file, waits.command) == (EMPEROR, "backstage upgrade --restart-emperor")
    assert text_of(venue.path / EMPEROR) != venue_files.texts(venue.paths)[EMPEROR]
    assert shipped_record.read(venue.paths).shipped == ""
    monkeypatch.undo()
    made = upgrade.upgrade(venue)
    assert [each.file for each in made.files] == [EMPEROR]
    assert texts(venue) == venue_files.texts(venue.paths)


@needs_root
def test_root_writes_as_the_owner(venue: Venue) -> None:
    """And reads nothing through a link that the owner could not read."""
    owner = 65534
    secret = venue.path.parent / "secret"
    secret.write_text("of root's\n")
    secret.chmod(0o600)
    for top in venue.path.parents:
        if top.stat().st_uid == os.geteuid() and str(top) not in {"/", "/tmp", "/dev/shm"}:
            top.chmod(0o755)
    for path in (venue.path, *venue.path.rglob("*")):
        os.chown(path, owner, owner, follow_symlinks=False)
    made = upgrade.upgrade(venue)
    assert made.done
    assert texts(venue) == venue_files.texts(venue.paths)
    assert {path.lstat().st_uid for path in venue.path.rglob("*")} == {owner}
    (venue.path / READY).unlink()
    (venue.path / READY).symlink_to(secret)
    with pytest.raises(CannotWrite, match="Permission denied"):
        upgrade.plan(venue)


def test_the_record_holds_what_an_edited_file_was_made_from(venue: Venue) -> None:
    launch = venue.path / LAUNCH
    shipped = launch.read_text()
    launch.write_text(shipped.replace("set -eu", "set -eux"))
    upgrade.upgrade(venue)
    new = venue_files.texts(venue.paths)[LAUNCH]
    told = json.loads(venue.paths.shipped.read_text())["texts"]
    assert told[LAUNCH] == [shipped, new]
    assert text_of(venue.path / f"{LAUNCH}.new") == new
    (kept,) = upgrade.plan(venue).files
    assert set(kept.edits) == {"-set -eu", "+set -eux"}
