"""Edits of vassal files by hand, as the Emperor then finds them; real files and the real uWSGI."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from backstage.events.edits import Edit, Edits
from backstage.facts.faults import Fault
from backstage.facts.sightings import Penalty
from backstage.layout.paths import ActPaths, VenuePaths
from backstage.system.locks import locked
from backstage.uwsgi import dry_run, vassal_files
from backstage.uwsgi.emperor import Emperor
from backstage.uwsgi.ini import VassalFile
from backstage.uwsgi.stats import EmperorStats
from tests import acts_on_disk
from tests.conftest import Spawn

pytestmark = acts_on_disk.needs_uwsgi

NANO = 1_000_000_000
# The second in which the Emperor has acted upon the file, and fractions: before an edit and after.
ACTED = 1_700_000_000
FRACTION = 123_456_789
EDITED = 987_654_321
BAD = "threds = 8\n"
FAULT = Fault(
    *("vassals/blog.ini", 4, "threds", "unknown option 'threds'", "did you mean 'threads'?")
)

Save = Callable[..., None]


class FakeEmperor(Emperor):
    """Notes whether it was asked to forgive, as there is none."""

    def __init__(self, paths: VenuePaths) -> None:
        super().__init__(paths)
        self.forgave = 0

    def forgive(self) -> None:
        self.forgave += 1


@pytest.fixture
def act(tmp_path: Path) -> ActPaths:
    """An Act whose vassal file the Emperor has acted upon."""
    return acts_on_disk.with_vassal(tmp_path, ACTED * NANO + FRACTION)


@pytest.fixture
def emperor(act: ActPaths) -> FakeEmperor:
    return FakeEmperor(act.venue)


@pytest.fixture
def edits(act: ActPaths, emperor: FakeEmperor) -> Edits:
    """What has seen the Act run before anybody edited anything."""
    edits = Edits(emperor)
    edits.begin(act, known(), [])
    assert not edits.is_new(act)
    return edits


@pytest.fixture
def save(act: ActPaths) -> Iterator[Save]:
    """Save an edit in a given second; nothing but its date is ever changed by others."""
    saved = [act.vassal.read_bytes()]

    def edit(old: str, new: str, *, second: int) -> None:
        saved[0] = act.vassal.read_text().replace(old, new).encode()
        act.vassal.write_bytes(saved[0])
        date(act.vassal, second, EDITED)

    yield edit
    assert act.vassal.read_bytes() == saved[0]


def known(*, last_mod: int = ACTED) -> EmperorStats:
    """What an Emperor says that has acted upon the file of a given second."""
    return acts_on_disk.reported(last_mod=last_mod, pid=810)


NOTHING_RUNS = EmperorStats(pid=700, vassals={}, blacklist={})


def date(path: Path, second: int, fraction: int = FRACTION) -> None:
    mtime = second * NANO + fraction
    os.utime(path, ns=(mtime, mtime))


def mtime(path: Path) -> tuple[int, int]:
    return divmod(path.stat().st_mtime_ns, NANO)


def dated_anew(path: Path, fraction: int) -> bool:
    """Whether the Emperor acts on the file, and on another edit in the present second."""
    second, left = mtime(path)
    return ACTED < second < int(time.time()) and left == fraction


# Good ones


def test_an_edit_in_a_later_second_is_left_as_it_is(
    act: ActPaths, edits: Edits, save: Save
) -> None:
    save("threads = 4", "threads = 8", second=ACTED + 5)
    assert edits.is_new(act)
    assert edits.settle(act, known()) == Edit(change="threads = 4 → 8")
    assert mtime(act.vassal) == (ACTED + 5, EDITED)
    assert not edits.is_new(act)


@pytest.mark.parametrize("second", [ACTED, ACTED - 1, ACTED - 100_000])
def test_an_edit_that_the_emperor_would_overlook_is_dated_on(
    act: ActPaths, edits: Edits, save: Save, second: int
) -> None:
    """Of the same second, or older as with `cp -p`; the fraction stays."""
    save("threads = 4", "threads = 8", second=second)
    assert edits.settle(act, known()) == Edit(change="threads = 4 → 8")
    assert dated_anew(act.vassal, EDITED)
    assert not edits.is_new(act)


def test_an_edit_that_replaces_the_file_is_dated_on(
    act: ActPaths, edits: Edits, save: Save
) -> None:
    """As most editors save."""
    other = act.vassal.with_name("blog.ini.new")
    other.write_bytes(act.vassal.read_bytes())
    date(other, ACTED)
    other.replace(act.vassal)
    assert edits.is_new(act)
    assert edits.settle(act, known()) == Edit()
    assert dated_anew(act.vassal, FRACTION)


def test_a_touch_in_the_same_second_is_dated_on(act: ActPaths, edits: Edits, save: Save) -> None:
    mtime_ns = ACTED * NANO + FRACTION + 1
    os.utime(act.vassal, ns=(mtime_ns, mtime_ns))
    assert edits.settle(act, known()) == Edit()
    assert dated_anew(act.vassal, FRACTION + 1)


def test_what_runs_is_reloaded_by_a_touch_whatever_one_may_think_of_it(
    act: ActPaths, emperor: FakeEmperor, save: Save
) -> None:
    """Only what differs from it is doubted."""
    save("threads = 4\n", BAD, second=ACTED)
    edits = Edits(emperor)
    edits.begin(act, known(), [])
    date(act.vassal, ACTED, FRACTION)
    assert edits.settle(act, known()) == Edit()
    assert dated_anew(act.vassal, FRACTION)


def test_every_edit_is_dated_on(act: ActPaths, edits: Edits, save: Save) -> None:
    """Even the second in one second."""
    for number in range(3):
        save(f"threads = {number + 4}", f"threads = {number + 5}", second=ACTED)
        change = f"threads = {number + 4} → {number + 5}"
        assert edits.settle(act, known(last_mod=ACTED + number)) == Edit(change=change)
        assert dated_anew(act.vassal, EDITED)


def test_a_version_is_dealt_with_once(act: ActPaths, edits: Edits, save: Save) -> None:
    save("threads = 4", "threads = 8", second=ACTED)
    edits.settle(act, known())
    assert edits.settle(act, known(last_mod=ACTED + 1)) == Edit()
    assert dated_anew(act.vassal, EDITED)


def test_what_is_seen_for_the_first_time_as_it_was_kept_is_no_edit(
    act: ActPaths, emperor: FakeEmperor
) -> None:
    edits = Edits(emperor)
    assert edits.is_new(act)
    assert edits.settle(act, known()) == Edit()
    assert mtime(act.vassal) == (ACTED, FRACTION)
    assert not edits.is_new(act)


def test_what_is_seen_for_the_first_time_and_differs_from_what_was_kept_is_an_edit(
    act: ActPaths, emperor: FakeEmperor, save: Save
) -> None:
    """Of which nobody has told while no one listened."""
    save("threads = 4", "threads = 8", second=ACTED)
    assert Edits(emperor).settle(act, known()) == Edit(change="threads = 4 → 8")
    assert dated_anew(act.vassal, EDITED)


# Bad ones


@pytest.mark.parametrize("second", [ACTED - 5, ACTED, ACTED + 5])
def test_an_edit_that_cannot_work_is_dated_back_and_named(
    act: ActPaths, edits: Edits, save: Save, second: int
) -> None:
    save("threads = 4\n", BAD, second=second)
    edit = edits.settle(act, known())
    assert edit == Edit(refused=FAULT)
    assert mtime(act.vassal) == (ACTED, EDITED)
    assert not edits.is_new(act)
    assert edits.settle(act, known()) == Edit()


def test_a_refused_edit_that_is_mended_is_used(act: ActPaths, edits: Edits, save: Save) -> None:
    """Its change is told from what runs, not from what was refused."""
    save("threads = 4\n", BAD, second=ACTED)
    assert edits.settle(act, known()).refused
    save("threds", "threads", second=ACTED)
    assert edits.settle(act, known()) == Edit(change="threads = 4 → 8")
    assert dated_anew(act.vassal, EDITED)


def test_a_refused_edit_stays_refused_when_it_is_touched(
    act: ActPaths, edits: Edits, save: Save
) -> None:
    save("threads = 4\n", BAD, second=ACTED)
    edits.settle(act, known())
    date(act.vassal, ACTED + 9)
    assert edits.is_new(act)
    assert edits.settle(act, known()).refused == FAULT
    assert mtime(act.vassal) == (ACTED, FRACTION)


def test_where_nothing_runs_a_bad_edit_disturbs_nobody(
    act: ActPaths, edits: Edits, save: Save
) -> None:
    """The Emperor tries it and fails, which tells more than any rehearsal."""
    save("threads = 4\n", BAD, second=ACTED + 5)
    assert edits.settle(act, NOTHING_RUNS) == Edit(change="- threads, + threds = 8")
    assert mtime(act.vassal) == (ACTED + 5, EDITED)


@pytest.mark.parametrize("told", [NOTHING_RUNS, None])
def test_where_nothing_runs_no_edit_is_dated(
    act: ActPaths, edits: Edits, save: Save, told: EmperorStats | None
) -> None:
    save("threads = 4", "threads = 8", second=ACTED)
    assert edits.settle(act, told) == Edit(change="threads = 4 → 8")
    assert mtime(act.vassal) == (ACTED, EDITED)


def test_an_edit_of_what_fails_is_tried_at_once(
    act: ActPaths, edits: Edits, save: Save, emperor: FakeEmperor
) -> None:
    """The Emperor forgets its earlier failures; of others it forgets none."""
    save("threads = 4", "threads = 8", second=ACTED)
    penalty = Penalty(attempts=3, retry_at=ACTED + 60.0)
    edits.settle(act, EmperorStats(pid=700, vassals={}, blacklist={"shop.ini": penalty}))
    assert emperor.forgave == 0
    save("threads = 8", "threads = 16", second=ACTED)
    edits.settle(act, EmperorStats(pid=700, vassals={}, blacklist={"blog.ini": penalty}))
    assert emperor.forgave == 1


# What is kept


def test_good_edits_are_kept_and_bad_ones_never(act: ActPaths, edits: Edits, save: Save) -> None:
    before = act.kept.read_text()
    save("threads = 4\n", BAD, second=ACTED + 1)
    edits.settle(act, known())
    assert act.kept.read_text() == before
    save("threds", "threads", second=ACTED + 2)
    edits.settle(act, known())
    assert act.kept.read_text() == before.replace("threads = 4", "threads = 8")
    save("threads = 8\n", BAD, second=ACTED + 3)
    edits.settle(act, known(last_mod=ACTED + 2))
    assert act.kept.read_text() == before.replace("threads = 4", "threads = 8")


def test_the_kept_file_stays_behind_when_the_other_goes(
    act: ActPaths, edits: Edits, emperor: FakeEmperor
) -> None:
    before = act.kept.read_text()
    act.vassal.unlink()
    assert edits.is_new(act)
    assert edits.settle(act, known()) == Edit()
    assert not edits.is_new(act)
    assert act.kept.read_text() == before


# While others are at work


def test_while_a_call_is_at_work_nothing_is_decided(
    act: ActPaths, edits: Edits, save: Save
) -> None:
    save("threads = 4\n", BAD, second=ACTED + 5)
    with locked(act.lock, "starting blog"):
        edit = edits.settle(act, known())
        assert (edit.undecided, edit.refused) == (True, None)
        assert mtime(act.vassal) == (ACTED + 5, EDITED)
        assert edits.is_new(act)
    assert edits.settle(act, known()).refused
    assert mtime(act.vassal) == (ACTED, EDITED)


def test_a_restart_by_a_call_is_not_done_twice(act: ActPaths, edits: Edits, save: Save) -> None:
    """While it is at work, the Emperor acts on the date that it gives."""
    date(act.vassal, ACTED + 5)
    with locked(act.lock, "restarting blog"):
        assert edits.settle(act, known()) == Edit(undecided=True)
    assert edits.settle(act, known(last_mod=ACTED + 5)) == Edit()
    assert mtime(act.vassal) == (ACTED + 5, FRACTION)
    assert not edits.is_new(act)


def test_where_nothing_may_be_written_an_edit_is_left_alone(
    act: ActPaths, edits: Edits, save: Save
) -> None:
    """Whoever may will see to it."""
    save("threads = 4", "threads = 8", second=ACTED)
    (act.venue.top / "run").rmdir()
    (act.venue.top / "run").touch()
    assert edits.settle(act, known()) == Edit()
    assert mtime(act.vassal) == (ACTED, EDITED)
    assert not edits.is_new(act)


@pytest.mark.parametrize("failing", ["dry_run.fault", "locked_if_free", "vassal_files.date"])
def test_what_the_system_is_short_of_is_no_reason_to_take_an_edit(
    act: ActPaths, edits: Edits, save: Save, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    """It is examined as soon as that is possible, and not loaded before."""
    save("threads = 4\n", BAD, second=ACTED)

    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    with monkeypatch.context() as patch:
        patch.setattr(f"backstage.events.edits.{failing}", fail)
        edit = edits.settle(act, known())
        assert (edit.undecided, edit.refused) == (True, None)
        assert edit.short.endswith("Too many open files")
        edits.load_again(act, known())
    assert mtime(act.vassal) == (ACTED, EDITED)
    assert edits.is_new(act)
    assert edits.settle(act, known()) == Edit(refused=FAULT)


# What has changed


def test_changed_new_and_gone_files_are_unsettled(act: ActPaths, edits: Edits) -> None:
    """Until they are settled, however often one asks."""
    shop = act.venue.act("shop")
    assert edits.unsettled(act.venue) == set()
    shop.vassal.write_bytes(act.vassal.read_bytes())
    assert edits.unsettled(act.venue) == {"shop"}
    date(act.vassal, ACTED + 1)
    assert edits.unsettled(act.venue) == {"blog", "shop"}
    for each in (act, shop):
        edits.settle(each, known())
    assert edits.unsettled(act.venue) == set()
    shop.vassal.unlink()
    assert edits.unsettled(act.venue) == edits.unsettled(act.venue) == {"shop"}
    edits.settle(shop, known())
    assert edits.unsettled(act.venue) == set()


def test_a_directory_that_is_gone_has_no_files(act: ActPaths, edits: Edits) -> None:
    act.vassal.unlink()
    act.venue.vassals.rmdir()
    assert edits.unsettled(act.venue) == {"blog"}


@pytest.mark.parametrize(
    "name",
    [
        *("blog.ini~", ".blog.ini.swp", ".blog.ini.swx", "#blog.ini#", ".#blog.ini", "4913"),
        *("blog.ini.bak", "blog.ini.1a2b.part", ".blog.ini.1a2b.part", ".hidden.ini", ".ini"),
        *("blog", "ini", "blog.INI", "blog.yaml"),
    ],
)
def test_what_editors_leave_beside_is_no_vassal_file(
    act: ActPaths, edits: Edits, name: str
) -> None:
    (act.venue.vassals / name).write_text("[uwsgi]\n")
    assert edits.unsettled(act.venue) == set()


# The beginning


def test_what_the_emperor_has_acted_upon_is_used_and_kept(
    act: ActPaths, emperor: FakeEmperor, save: Save
) -> None:
    save("threads = 4", "threads = 8", second=ACTED)
    edits = Edits(emperor)
    edits.begin(act, known(), [])
    assert edits.unsettled(act.venue) == set()
    assert "threads = 8" in act.kept.read_text()
    save("threads = 8", "threads = 9", second=ACTED + 1)
    assert edits.settle(act, known()) == Edit(change="threads = 8 → 9")


def test_what_the_emperor_has_not_acted_upon_yet_is_an_edit_to_come(
    act: ActPaths, emperor: FakeEmperor, save: Save
) -> None:
    save("threads = 4\n", BAD, second=ACTED + 1)
    edits = Edits(emperor)
    edits.begin(act, known(), [])
    assert edits.unsettled(act.venue) == {"blog"}
    assert edits.settle(act, known()).refused


def test_what_was_refused_before_is_not_taken_for_used(
    act: ActPaths, edits: Edits, emperor: FakeEmperor, save: Save
) -> None:
    """By whoever was there then; the kept file still tells what runs."""
    before = act.kept.read_text()
    save("threads = 4\n", BAD, second=ACTED)
    refused = edits.settle(act, known()).refused
    assert refused == vassal_files.refusal(act) == FAULT
    later = Edits(emperor)
    later.begin(act, known(), [])
    assert later.unsettled(act.venue) == set()
    assert act.kept.read_text() == before
    assert mtime(act.vassal) == (ACTED, EDITED)
    save("threds", "threads", second=ACTED)
    assert later.settle(act, known()) == Edit(change="threads = 4 → 8")
    assert vassal_files.refusal(act) is None


def test_what_an_older_version_has_refused_is_tried_again(
    act: ActPaths, edits: Edits, emperor: FakeEmperor, save: Save
) -> None:
    """Its note was a sentence; the edit has the date that the Emperor knows, and keeps it."""
    save("threads = 4\n", BAD, second=ACTED)
    edits.settle(act, known())
    act.refused.write_text(f"1 2 3\n{FAULT}\n")
    later = Edits(emperor)
    later.begin(act, known(), [os.getpid()])
    assert later.unsettled(act.venue) == {"blog"}
    assert later.settle(act, known()).refused == vassal_files.refusal(act) == FAULT
    assert mtime(act.vassal) == (ACTED, EDITED)


def test_an_act_that_is_stopped_has_nothing_to_begin_with(
    act: ActPaths, emperor: FakeEmperor
) -> None:
    act.vassal.unlink()
    edits = Edits(emperor)
    edits.begin(act, known(), [])
    assert edits.unsettled(act.venue) == set()


# Written where they are


def test_what_the_emperor_may_have_read_half_is_read_again(
    act: ActPaths, edits: Edits, save: Save
) -> None:
    save("threads = 4", "threads = 8", second=ACTED + 5)
    edits.settle(act, known(), in_place=True)
    edits.confirm(act, known(last_mod=ACTED + 5))
    assert dated_anew(act.vassal, EDITED)


def test_what_the_emperor_has_not_read_yet_is_read_once(
    act: ActPaths, edits: Edits, save: Save
) -> None:
    save("threads = 4", "threads = 8", second=ACTED + 5)
    edits.settle(act, known(), in_place=True)
    edits.confirm(act, known())
    # What it says later, it says of the whole file.
    edits.confirm(act, known(last_mod=ACTED + 5))
    assert mtime(act.vassal) == (ACTED + 5, EDITED)


@pytest.mark.parametrize(("new", "in_place"), [("threads = 8\n", False), (BAD, True)])
def test_only_what_is_used_and_was_written_in_place_is_confirmed(
    act: ActPaths, edits: Edits, save: Save, new: str, in_place: bool
) -> None:
    """What was refused has the date that the Emperor knows, and keeps it."""
    save("threads = 4\n", new, second=ACTED + 5)
    edits.settle(act, known(), in_place=in_place)
    before = mtime(act.vassal)
    edits.confirm(act, known(last_mod=ACTED + 5))
    assert mtime(act.vassal) == before


def test_a_date_that_confirming_gave_is_no_edit(act: ActPaths, edits: Edits, save: Save) -> None:
    """Otherwise what the Emperor has read again would be read a third time."""
    save("threads = 4", "threads = 8", second=ACTED + 5)
    edits.settle(act, known(), in_place=True)
    edits.confirm(act, known(last_mod=ACTED + 5))
    assert not edits.is_new(act)
    edits.settle(act, known(last_mod=ACTED + 6))
    assert dated_anew(act.vassal, EDITED)


def test_what_is_gone_is_not_confirmed(act: ActPaths, edits: Edits, save: Save) -> None:
    save("threads = 4", "threads = 8", second=ACTED + 5)
    edits.settle(act, known(), in_place=True)
    text = act.vassal.read_bytes()
    act.vassal.unlink()
    edits.confirm(act, known(last_mod=ACTED + 5))
    edits.confirm(act, NOTHING_RUNS)
    assert not act.vassal.exists()
    act.vassal.write_bytes(text)


def test_a_change_is_told_from_what_was_used_last(act: ActPaths, edits: Edits, save: Save) -> None:
    """Also where another call has kept something else meanwhile."""
    act.kept.write_text("[uwsgi]\nthreads = 1\n")
    save("threads = 4", "threads = 8", second=ACTED + 1)
    assert edits.settle(act, known()) == Edit(change="threads = 4 → 8")
    assert VassalFile("blog", act.kept.read_text()).get("threads") == "8"


def test_an_edit_that_was_made_before_anybody_watched_is_still_to_come(
    emperor: FakeEmperor, act: ActPaths, save: Save
) -> None:
    """Nothing that runs can have read it; the Emperor took the mtime for known."""
    save("threads = 4", "threads = 8", second=ACTED)
    edits = Edits(emperor)
    edits.begin(act, known(), [os.getpid()])
    assert edits.is_new(act)
    assert edits.settle(act, known()).change == "threads = 4 → 8"
    assert dated_anew(act.vassal, EDITED)


def test_an_edit_that_all_processes_have_read_is_used(
    emperor: FakeEmperor, act: ActPaths, save: Save, spawn: Spawn
) -> None:
    save("threads = 4", "threads = 8", second=ACTED)
    time.sleep(0.05)  # the kernel counts the beginnings of processes in ticks of 10 ms
    edits = Edits(emperor)
    edits.begin(act, known(), [spawn("sleep", "60").pid])
    assert not edits.is_new(act)
    assert "threads = 8" in act.kept.read_text()


def test_a_second_save_within_a_tick_of_the_clock_is_an_edit(
    edits: Edits, act: ActPaths, save: Save
) -> None:
    """Two writes that leave the same inode, size and date."""
    save("threads = 4", "threads = 8", second=ACTED + 1)
    edits.settle(act, known())
    save("threads = 8", "threads = 9", second=ACTED + 1)
    assert edits.is_new(act)
    assert edits.settle(act, known(last_mod=ACTED + 1)).change == "threads = 8 → 9"
    assert dated_anew(act.vassal, EDITED)


@pytest.mark.parametrize("first", [BAD, "threads = 6\n"])
def test_what_is_changed_while_it_is_tried_is_tried_again(
    edits: Edits, act: ActPaths, save: Save, monkeypatch: pytest.MonkeyPatch, first: str
) -> None:
    """Nothing of the first edit is kept or refused, nor its date given to the second."""
    try_it = dry_run.fault

    def disturbed(paths: ActPaths, running: VassalFile | None = None) -> Fault | None:
        fault = try_it(paths, running)
        save(first, "threads = 8\n", second=ACTED + 3)
        return fault

    save("threads = 4\n", first, second=ACTED + 2)
    with monkeypatch.context() as patch:
        patch.setattr("backstage.uwsgi.dry_run.fault", disturbed)
        assert edits.settle(act, known()) == Edit(undecided=True)
    assert vassal_files.refusal(act) is None
    assert "threads = 4" in act.kept.read_text()
    assert mtime(act.vassal) == (ACTED + 3, EDITED)
    assert edits.is_new(act)
    assert edits.settle(act, known()) == Edit(change="threads = 4 → 8")
