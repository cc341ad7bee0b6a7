"""Vassal files on a real disk: the current one, the kept one, and their mtimes."""

from __future__ import annotations

import errno
import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from backstage.facts.faults import Fault
from backstage.layout.paths import ActPaths, VenuePaths
from backstage.system.deadlines import Deadline, until
from backstage.uwsgi import vassal_files
from backstage.uwsgi.ini import VassalFile
from backstage.uwsgi.vassal_files import Overtaken, Version
from tests.patience import PATIENCE

NANO = 1_000_000_000
OLD, NEW = "[uwsgi]\nthreads = 4\n", "[uwsgi]\nthreads = 8\n"
FAULT = Fault("vassals/blog.ini", 2, "threds", "unknown option 'threds'", "did you mean 'threads'?")


@pytest.fixture
def act(tmp_path: Path) -> ActPaths:
    for name in ("vassals", "kept", "run"):
        (tmp_path / name).mkdir()
    return VenuePaths(tmp_path).act("blog")


def write(path: Path, text: str, mtime: float | None = None) -> None:
    path.write_text(text)
    if mtime is not None:
        os.utime(path, (mtime, mtime))


def now(act: ActPaths) -> Version:
    version = vassal_files.version(act)
    assert version
    return version


def second(path: Path) -> int:
    return path.stat().st_mtime_ns // NANO


def test_nothing_there_is_nothing(act: ActPaths) -> None:
    """Keeping does nothing either, even without the directory for kept files."""
    act.kept.parent.rmdir()
    assert vassal_files.load(act) is None
    assert vassal_files.current(act) is None
    assert vassal_files.kept(act) is None
    vassal_files.keep(act)
    with pytest.raises(FileNotFoundError):
        vassal_files.put_back(act)


@pytest.mark.parametrize("target", ["blog.ini", f"{'x' * 300}/blog.ini"])
def test_a_link_that_leads_nowhere_is_no_file(act: ActPaths, target: str) -> None:
    """Nor does it hide the files of other Acts."""
    write(act.venue.act("shop").vassal, NEW)
    # As into a directory that may not be entered, the kernel refuses to follow it.
    act.vassal.symlink_to(target)
    assert vassal_files.names(act.venue.vassals) == {"shop"}
    assert set(vassal_files.versions(act.venue.vassals)) == {"shop"}
    assert vassal_files.version(act) is vassal_files.current(act) is None
    assert not vassal_files.is_there(act.vassal)


def test_the_file_in_use_counts_before_the_kept_one(act: ActPaths) -> None:
    write(act.kept, OLD)
    assert vassal_files.load(act) == VassalFile("blog", OLD)
    write(act.vassal, NEW)
    assert vassal_files.load(act) == vassal_files.current(act) == VassalFile("blog", NEW)
    assert vassal_files.kept(act) == VassalFile("blog", OLD)
    act.vassal.unlink()
    assert vassal_files.load(act) == VassalFile("blog", OLD)
    assert vassal_files.current(act) is None


def test_a_file_is_parsed_once(act: ActPaths) -> None:
    write(act.vassal, OLD)
    assert until(lambda: vassal_files.current(act) is vassal_files.current(act), Deadline(PATIENCE))


@pytest.mark.parametrize("replaced", [True, False])
def test_every_edit_is_seen(act: ActPaths, replaced: bool) -> None:
    """An edit with the same length and mtime counts too, in place or by replacement."""
    write(act.vassal, OLD, 1_700_000_000)
    assert vassal_files.current(act) == VassalFile("blog", OLD)
    other = act.vassal.with_suffix(".new")
    write(other if replaced else act.vassal, NEW, 1_700_000_000)
    if replaced:
        other.replace(act.vassal)
    assert vassal_files.current(act) == VassalFile("blog", NEW)


def test_bytes_that_are_no_text_are_read_all_the_same(act: ActPaths) -> None:
    act.vassal.write_bytes(b"[uwsgi]\n# \xff\nthreads = 4\n")
    file = vassal_files.current(act)
    assert file
    assert file.get("threads") == "4"


def test_keeping_copies_what_is_in_use(act: ActPaths) -> None:
    write(act.vassal, OLD)
    vassal_files.keep(act)
    assert act.kept.read_text() == OLD
    write(act.vassal, NEW)
    vassal_files.keep(act)
    assert act.kept.read_text() == NEW
    assert act.vassal.read_text() == NEW


def test_what_was_read_is_kept_whatever_was_written_since(act: ActPaths) -> None:
    write(act.vassal, OLD)
    file = vassal_files.current(act)
    write(act.vassal, NEW)
    vassal_files.keep(act, file)
    assert act.kept.read_text() == OLD


@pytest.mark.parametrize("ahead", [-1000.5, 0.0, 1000.5])
@pytest.mark.parametrize("known", ["", OLD, NEW])
def test_what_is_put_back_has_its_date_but_never_that_of_the_present_second(
    act: ActPaths, ahead: float, known: str
) -> None:
    """So the Emperor notices even an edit that follows at once."""
    if known:
        write(act.kept, known, 1_500_000_000)
    write(act.vassal, NEW, time.time() + ahead)
    vassal_files.keep(act)
    act.vassal.unlink()
    vassal_files.put_back(act)
    assert act.vassal.read_text() == NEW
    assert second(act.vassal) < int(time.time()) - 1
    if ahead < 0:
        assert second(act.vassal) == second(act.kept)


def test_an_edit_that_is_being_saved_is_put_away_whole(act: ActPaths) -> None:
    """Whatever is written once the Act's end has begun."""
    write(act.kept, OLD)
    with act.vassal.open("w") as editor:
        editor.write(NEW)
        editor.flush()
        vassal_files.put_away(act)
        editor.write("; the end\n")
    assert act.kept.read_text() == f"{NEW}; the end\n"
    assert not act.vassal.exists()
    vassal_files.put_away(act)
    assert vassal_files.kept(act)


def test_what_is_put_away_and_back_is_the_same_to_the_last_byte(act: ActPaths) -> None:
    content = NEW.encode() + b"; caf\xe9\r\n"
    act.vassal.write_bytes(content)
    vassal_files.put_away(act)
    vassal_files.put_back(act)
    assert (act.vassal.read_bytes(), act.kept.read_bytes()) == (content, content)


def test_of_a_link_the_target_is_put_away(act: ActPaths) -> None:
    """And of a link that leads nowhere, nothing."""
    target = act.venue.top / "elsewhere.ini"
    write(target, NEW)
    act.vassal.symlink_to("../elsewhere.ini")
    vassal_files.put_away(act)
    assert (act.kept.is_symlink(), act.kept.read_text(), target.read_text()) == (False, NEW, NEW)
    act.vassal.symlink_to("nowhere.ini")
    vassal_files.put_away(act)
    assert (act.vassal.is_symlink(), act.kept.read_text()) == (False, NEW)


def test_without_a_place_to_put_it_a_file_stays(act: ActPaths) -> None:
    write(act.vassal, NEW)
    act.kept.parent.rmdir()
    with pytest.raises(FileNotFoundError):
        vassal_files.put_away(act)
    assert act.vassal.read_text() == NEW


def test_keeping_what_is_kept_writes_nothing(act: ActPaths) -> None:
    write(act.vassal, NEW, 1_700_000_000.25)
    write(act.kept, NEW, 1_600_000_000.25)
    before = act.kept.stat().st_ctime_ns
    vassal_files.keep(act)
    assert act.kept.stat().st_ctime_ns == before


def test_a_refusal_holds_for_the_file_as_it_is(act: ActPaths) -> None:
    """It ends when content, mtime or inode change, and applies to no other Act."""
    assert vassal_files.refusal(act) is None
    write(act.vassal, NEW, 1_700_000_000)
    other = act.venue.act("shop")
    write(other.vassal, NEW, 1_700_000_000)
    assert vassal_files.refusal(act) is None
    vassal_files.refuse(act, now(act), FAULT)
    assert vassal_files.refusal(act) == FAULT
    assert vassal_files.refusal(other) is None
    write(act.vassal, f"{NEW}\n", 1_700_000_000)
    assert vassal_files.refusal(act) is None
    another = replace(FAULT, line=3)
    vassal_files.refuse(act, now(act), another)
    assert vassal_files.refusal(act) == another
    os.utime(act.vassal, (1_700_000_001, 1_700_000_001))
    assert vassal_files.refusal(act) is None
    act.vassal.unlink()
    assert vassal_files.refusal(act) is None


@pytest.mark.parametrize(
    "note", ["{0} {1} {2}\nvassals/blog.ini, line 4: unknown option\n", "{{}}", ""]
)
def test_a_refusal_in_the_words_of_an_older_version_is_ignored(act: ActPaths, note: str) -> None:
    write(act.vassal, NEW)
    present = now(act)
    act.refused.write_text(note.format(present.inode, present.size, present.mtime))
    assert vassal_files.refusal(act) is None


def test_a_refusal_is_no_vassal_file(act: ActPaths) -> None:
    """Neither the Emperor nor a search for Acts mistakes it for one."""
    write(act.vassal, NEW)
    vassal_files.refuse(act, now(act), FAULT)
    assert {path.name for path in act.venue.vassals.iterdir()} == {"blog.ini"}
    assert list(act.venue.kept.glob("*.ini")) == []


def test_dating_changes_nothing_but_the_mtime(act: ActPaths) -> None:
    write(act.vassal, NEW)
    present = now(act)
    for mtime in (1_800_000_000_123_456_789, 1_600_000_000_000_000_001):
        dated = vassal_files.date(act, present, mtime)
        assert dated == replace(present, mtime=mtime) == now(act)
        present = dated
    assert act.vassal.read_text() == NEW


def test_what_was_changed_meanwhile_is_not_dated(act: ActPaths) -> None:
    write(act.vassal, NEW, 1_700_000_000)
    present = now(act)
    write(act.vassal, f"{NEW}\n", 1_700_000_005)
    with pytest.raises(Overtaken):
        vassal_files.date(act, present, 1_600_000_000_000_000_000)
    act.vassal.unlink()
    with pytest.raises(Overtaken):
        vassal_files.date(act, present, 1_600_000_000_000_000_000)
    assert not act.vassal.exists()


def only_its_owner_can_date(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the kernel say so of the present file, as of one of another user."""
    foreign, utime = path.stat().st_ino, os.utime

    def refuse(path: Path, *args: object, **options: object) -> None:
        if path.stat().st_ino == foreign:
            raise PermissionError(errno.EPERM, os.strerror(errno.EPERM), path)
        utime(path, *args, **options)  # type: ignore[call-overload]

    monkeypatch.setattr("backstage.uwsgi.vassal_files.os.utime", refuse)


def test_a_file_of_another_user_is_dated_as_a_copy(
    act: ActPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(act.vassal, NEW)
    act.vassal.chmod(0o640)
    before, mtime = now(act), 1_700_000_000 * NANO + 999_999_999
    only_its_owner_can_date(act.vassal, monkeypatch)
    dated = vassal_files.date(act, before, mtime)
    assert dated == now(act)
    assert (dated.mtime, dated.inode != before.inode) == (mtime, True)
    assert (act.vassal.read_text(), act.vassal.stat().st_mode & 0o777) == (NEW, 0o640)


def test_a_link_to_a_file_of_another_user_stays_a_link(
    act: ActPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = act.venue.top / "elsewhere.ini"
    write(target, NEW)
    act.vassal.symlink_to(target)
    before = now(act)
    only_its_owner_can_date(target, monkeypatch)
    assert vassal_files.date(act, before, 1_700_000_000 * NANO) == before == now(act)
    assert act.vassal.is_symlink()


def test_while_it_is_written_a_file_is_as_it_was(act: ActPaths) -> None:
    """Writing in place truncates the file first."""
    write(act.vassal, OLD)
    assert vassal_files.current(act) == VassalFile("blog", OLD)
    assert not vassal_files.is_being_written(act)
    with act.vassal.open("w") as file:
        assert vassal_files.is_being_written(act)
        assert vassal_files.load(act) == VassalFile("blog", OLD)
        file.write(NEW[:10])
        file.flush()
        assert vassal_files.load(act) == VassalFile("blog", OLD)
        file.write(NEW[10:])
    assert not vassal_files.is_being_written(act)
    assert vassal_files.load(act) == VassalFile("blog", NEW)


def test_a_file_that_somebody_keeps_open_counts_as_it_rests(act: ActPaths) -> None:
    with act.vassal.open("w") as file:
        file.write(NEW)
        file.flush()
        assert until(lambda: not vassal_files.is_being_written(act), Deadline(PATIENCE))
        assert vassal_files.current(act) == VassalFile("blog", NEW)


def test_line_ends_are_kept_as_they_are(act: ActPaths) -> None:
    """An editor on another system may have written them."""
    act.vassal.write_bytes(b"[uwsgi]\r\nthreads = 4\r\n")
    vassal_files.keep(act)
    act.vassal.unlink()
    vassal_files.put_back(act)
    assert act.vassal.read_bytes() == b"[uwsgi]\r\nthreads = 4\r\n"


def test_a_vassal_file_keeps_the_permissions_that_its_operator_gave(tmp_path: Path) -> None:
    path = tmp_path / "blog.ini"
    vassal_files.write(path, "first")
    assert path.stat().st_mode & 0o7777 == 0o644
    path.chmod(0o600)
    vassal_files.write(path, "second")
    assert path.stat().st_mode & 0o7777 == 0o600


def test_permissions_survive_a_stop_and_a_start(act: ActPaths) -> None:
    """Also those of a link's target, of which a copy is kept."""
    for make in (act.vassal.touch, lambda: act.vassal.symlink_to(act.venue.top / "shared.ini")):
        act.kept.unlink(missing_ok=True)
        act.vassal.unlink(missing_ok=True)
        (act.venue.top / "shared.ini").touch()
        make()
        write(act.vassal, NEW)
        act.vassal.chmod(0o600)
        vassal_files.put_away(act)
        vassal_files.put_back(act)
        assert act.vassal.stat().st_mode & 0o7777 == 0o600
