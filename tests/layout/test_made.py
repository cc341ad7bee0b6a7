"""A Venue knows where it was made: it is opened there, and refused where it was moved or copied."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from backstage.errors import NotAVenue, VenueMoved
from backstage.layout import made, registry
from backstage.layout.paths import VenuePaths
from backstage.venue import Venue


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> VenuePaths:
    """The files of a Venue that say where it was made."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    paths = VenuePaths(tmp_path / "Drei")
    paths.templates.mkdir(parents=True)
    paths.settings.touch()
    paths.emperor_ini.touch()
    (paths.top / "pyvenv.cfg").write_text("version = 3.11.2\n")
    paths.launch.write_text(f"#!/bin/sh\nset -eu\nvenue='{paths.top}'\n")
    made.write(paths, made.here(paths))
    return paths


def copied(paths: VenuePaths, name: str) -> VenuePaths:
    return VenuePaths(shutil.copytree(paths.top, paths.top.with_name(name), symlinks=True))


def moved(paths: VenuePaths, name: str) -> VenuePaths:
    return VenuePaths(paths.top.rename(paths.top.with_name(name)))


def refusal(paths: VenuePaths) -> VenueMoved:
    with pytest.raises(VenueMoved) as refused:
        Venue.open(paths.top)
    return refused.value


def without_record(paths: VenuePaths) -> None:
    """As an earlier version left it."""
    paths.made.unlink()


def test_what_is_recorded(paths: VenuePaths) -> None:
    found = made.read(paths)
    assert found
    assert found.path == paths.top
    assert found.python == "3.11.2"
    assert len(found.id) == 32
    assert paths.made.stat().st_mode & 0o777 == 0o600
    assert made.here(paths, found.id) == found
    assert made.here(paths).id != found.id


@pytest.mark.parametrize("prepare", [lambda paths: None, without_record])
def test_a_copy_says_so_and_is_not_opened(paths: VenuePaths, prepare: object) -> None:
    assert callable(prepare)
    prepare(paths)
    copy = copied(paths, "Kopie von Drei")
    told = refusal(copy)
    assert isinstance(told, NotAVenue)
    assert (told.path, told.made_at, told.is_copy) == (copy.top, paths.top, True)
    assert f"is a copy of {paths.top}" in str(told)
    assert f"backstage --venue '{copy.top}' relocate" in str(told)
    assert copy.top not in registry.venues(), "nothing was done for it"
    assert Venue.open(paths.top).path == paths.top, "the original is as before"


@pytest.mark.parametrize("prepare", [lambda paths: None, without_record])
def test_a_venue_that_was_moved_says_so(paths: VenuePaths, prepare: object) -> None:
    assert callable(prepare)
    prepare(paths)
    there = moved(paths, "Vier")
    told = refusal(there)
    assert (told.path, told.made_at, told.is_copy) == (there.top, paths.top, False)
    assert f"was moved from {paths.top}" in str(told)
    there.top.rename(paths.top)
    assert Venue.open(paths.top).path == paths.top, "it is where it was made again"


def test_another_venue_at_the_old_path_is_no_original(paths: VenuePaths) -> None:
    there = moved(paths, "Vier")
    shutil.copytree(there.top, paths.top)
    assert refusal(there).is_copy, "it has the same id"
    made.write(paths, made.here(paths))
    assert not refusal(there).is_copy


def test_links_do_no_harm(paths: VenuePaths) -> None:
    """Neither a link to a Venue, nor one left behind where it was made."""
    link = paths.top.with_name("link")
    link.symlink_to(paths.top)
    assert Venue.open(link).path == paths.top
    there = moved(paths, "Vier")
    paths.top.symlink_to(there.top)
    assert Venue.open(there.top).path == there.top


def test_a_host_without_a_machine_id_is_no_trouble(
    paths: VenuePaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(made, "_MACHINE", paths.top / "missing")
    assert made.here(paths).machine == ""
    made.write(paths, replace(made.here(paths), machine="another"))
    assert Venue.open(paths.top).path == paths.top, "what it needs is there"


@pytest.mark.parametrize(
    "record",
    [
        *("", "[]", "{}", '"a"', "null", "[" * 60_000, '{"path": "a", "id": 1}', "\ud800"),
        json.dumps({"path": "here", "id": "", "machine": "", "python": "", "former": ""}),
    ],
)
def test_a_record_that_is_none_is_not_believed(paths: VenuePaths, record: str) -> None:
    """What else names the path is read then."""
    there = moved(paths, "Vier")
    there.made.write_text(record, errors="surrogatepass")
    assert refusal(there).made_at == paths.top
    there.launch.write_text("#!/bin/sh\n")
    assert Venue.open(there.top).path == there.top, "nothing says that it was moved"


def test_a_pipe_in_its_place_hangs_nobody(paths: VenuePaths) -> None:
    paths.made.unlink()
    os.mkfifo(paths.made)
    assert Venue.open(paths.top).path == paths.top
