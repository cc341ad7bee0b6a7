"""What there is to upgrade in a Venue: compared with what was written into it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from backstage.facts.renewals import Cause, Fate, Renewal
from backstage.kinds import daemon
from backstage.layout import shipped_record
from backstage.layout.paths import VenuePaths
from backstage.layout.shipped_files import filled, shelf
from backstage.operations import upgrade_plan, venue_files
from backstage.operations.new_venue import configure
from backstage.operations.upgrade_journal import text_of
from backstage.operations.upgrade_plan import Work
from backstage.venue import Venue

from .aged import ship

EARLIER = sorted((shelf("scaffolds") / "earlier").iterdir())
DJANGO = "templates/django.ini"


@pytest.fixture
def paths(tmp_path: Path) -> VenuePaths:
    """A Venue as this version makes it, but for its environment and the private copy."""
    configure(VenuePaths(tmp_path))
    shutil.rmtree(tmp_path / ".backstage/residents")
    return VenuePaths(tmp_path)


@pytest.fixture
def old(paths: VenuePaths) -> VenuePaths:
    """The same as version 0.1.0 made it."""
    return as_made_by(paths, EARLIER[0])


def as_made_by(paths: VenuePaths, version: Path) -> VenuePaths:
    shutil.rmtree(paths.own)
    markers = {"venue": str(paths.top), "uwsgi": str(paths.top / "bin/uwsgi")}
    markers["daemons"] = "|".join(daemon.OPTIONS)
    for name in venue_files.texts(paths):
        (paths.top / name).unlink()
        if (version / name).exists():
            (paths.top / name).write_text(filled(version / name, **markers))
    return paths


def examine(paths: VenuePaths) -> Work:
    return upgrade_plan.examine(Venue(paths))


def fates(work: Work) -> dict[str, Fate]:
    return {each.file: each.fate for each in work.files}


def edit(path: Path, before: str, after: str) -> None:
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))


def test_a_new_venue_is_up_to_date(paths: VenuePaths) -> None:
    work = examine(paths)
    assert (work.files, work.texts, work.library) == ((), {}, False)


@pytest.mark.parametrize("version", EARLIER, ids=lambda path: path.name)
def test_files_of_an_earlier_version_are_renewed(paths: VenuePaths, version: Path) -> None:
    """Also without a record of what was written."""
    work = examine(as_made_by(paths, version))
    known = {Fate.RENEWED, Fate.ADDED}
    assert set(fates(work).values()) == known
    assert fates(work)["templates/loaded.py"] is Fate.ADDED
    new = venue_files.texts(paths)
    differing = {name for name, text in new.items() if text_of(paths.top / name) != text}
    assert {*work.texts, *work.later} == differing >= {DJANGO, "emperor.ini", "templates/launch"}
    assert work.causes == (Cause.CONFIGURATION, Cause.WATCHER)


def test_an_edited_file_is_kept_and_the_edits_are_told(old: VenuePaths) -> None:
    """Not mixed with what the new version changes."""
    edit(old.top / DJANGO, "harakiri = 60", "harakiri = 120")
    work = examine(old)
    (kept,) = [each for each in work.files if each.fate is Fate.KEPT]
    edits = ("-harakiri = 60", "+harakiri = 120")
    assert kept == Renewal(DJANGO, Fate.KEPT, edits, beside=f"{DJANGO}.new", is_news=True)
    assert work.texts[f"{DJANGO}.new"] == venue_files.texts(old)[DJANGO]
    assert DJANGO not in work.texts


def test_an_edit_of_the_present_version_is_no_news(paths: VenuePaths) -> None:
    edit(paths.top / DJANGO, "harakiri = 60", "harakiri = 120")
    work = examine(paths)
    assert work.texts == {}
    assert work.files == (Renewal(DJANGO, Fate.KEPT, ("-harakiri = 60", "+harakiri = 120")),)


def test_a_record_tells_what_any_version_wrote(paths: VenuePaths) -> None:
    ship(paths, DJANGO, "[uwsgi]\nthreads = 1\n")
    assert fates(examine(paths)) == {DJANGO: Fate.RENEWED}
    edit(paths.top / DJANGO, "threads = 1", "threads = 2")
    (kept,) = examine(paths).files
    assert kept.edits == ("-threads = 1", "+threads = 2")


def test_a_link_is_an_edit(paths: VenuePaths, tmp_path: Path) -> None:
    """Whatever it leads to is not ours to replace."""
    ship(paths, DJANGO, "[uwsgi]\n")
    elsewhere = (paths.top / DJANGO).rename(tmp_path / "shared.ini")
    (paths.top / DJANGO).symlink_to(elsewhere)
    assert fates(examine(paths)) == {DJANGO: Fate.KEPT}


def test_the_new_file_takes_no_name_of_another_one(old: VenuePaths) -> None:
    edit(old.top / DJANGO, "harakiri = 60", "harakiri = 120")
    mine = old.top / f"{DJANGO}.new"
    mine.write_text("# half merged\n")
    (kept,) = [each for each in examine(old).files if each.fate is Fate.KEPT]
    assert kept.beside == f"{DJANGO}.new2"
    mine.write_text(venue_files.texts(old)[DJANGO])
    (kept,) = [each for each in examine(old).files if each.fate is Fate.KEPT]
    assert (kept.beside, kept.is_news) == (f"{DJANGO}.new", False)


def test_no_watcher_is_run_by_a_script_that_cannot(old: VenuePaths) -> None:
    """An edited `launch` would start a uWSGI without anything to do, again and again."""
    edit(old.templates / "launch", "set -eu", "set -eu\numask 027")
    work = examine(old)
    assert fates(work)["emperor.ini"] is Fate.WAITS
    assert work.later == {}
    assert work.causes == ()


def test_a_record_that_cannot_be_read_is_none(paths: VenuePaths) -> None:
    """The files are then compared with those of earlier versions, and nothing edited is lost."""
    for text in ("", "[]", '{"version": 1, "strange": 2}'):
        paths.shipped.write_text(text)
        assert shipped_record.read(paths) == shipped_record.Record()
        assert examine(paths).files == ()
