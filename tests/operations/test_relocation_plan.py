"""What is rewritten in a Venue that was moved or copied, and what a copy may not share."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from backstage.errors import NotAVenue
from backstage.layout import made, registry
from backstage.layout.paths import VenuePaths
from backstage.operations import relocation_journal, relocation_steps
from backstage.operations.relocation_plan import Work, examine
from backstage.shortcuts import relocate_venue

from ..own_ports import own_ports


@pytest.fixture
def original(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> VenuePaths:
    """The files of a Venue with the Acts `blog`, which is to run, and `shop`."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    paths = VenuePaths(tmp_path / "Drei")
    for name in ("bin", "lib", "templates", "vassals", "kept", "acts/blog", "log", "run"):
        (paths.top / name).mkdir(parents=True)
    ports = own_ports().of_acts
    top = paths.top
    paths.settings.write_text(f"ports: {ports[0]}-{ports[-1]}\n")
    paths.emperor_ini.write_text(f"[uwsgi]\nenv = BACKSTAGE_VENUE={top}\n")
    paths.launch.write_text(f"venue='{top}'\n")
    (top / "bin/pip").write_text(f"#!{top}/bin/python3\nprint('/x{top}')\n")
    (top / "bin/tool").write_bytes(b"\x7fELF\0" + bytes(paths.top) + b"\xff")
    (top / "bin/odd").write_bytes(f"#!/bin/sh\n# {top} ".encode() + b"\xff\n")
    for act, place, port in (("blog", "vassals", 0), ("blog", "kept", 0), ("shop", "kept", 1)):
        text = f"[uwsgi]\nhttp-socket = 127.0.0.1:{ports[port]}\nini = {top}/templates/django.ini\n"
        (top / place / f"{act}.ini").write_text(text)
    (top / "acts/blog/.env").write_text(f"DATABASE_URL=sqlite:///{top}/acts/blog/db\n")
    (top / "acts/blog/settings.py").write_text(f"import os\nROOT = '{top}'\n")
    (top / "acts/blog/media").symlink_to(top / "log")
    registry.register(top)
    made.write(paths, made.here(paths))
    paths.shipped.write_text(json.dumps({"texts": {"templates/launch": [f"venue='{top}'\n"]}}))
    return paths


def copied(original: VenuePaths, name: str = "Kopie") -> VenuePaths:
    return VenuePaths(shutil.copytree(original.top, original.top.with_name(name), symlinks=True))


def examined(paths: VenuePaths, *, is_copy: bool = True) -> Work:
    known = made.read(paths)
    assert known
    return examine(paths, known, is_copy=is_copy)


def test_all_that_names_the_path_is_rewritten_but_projects(original: VenuePaths) -> None:
    paths = copied(original)
    work = examined(paths)
    assert {*work.files} == {
        *("emperor.ini", "templates/launch", "bin/pip", "bin/odd", ".backstage/shipped.json"),
        *("vassals/blog.ini", "kept/blog.ini", "kept/shop.ini", "acts/blog/.env"),
    }
    assert work.files["bin/pip"].after == f"#!{paths.python}\nprint('/x{original.top}')\n"
    assert work.links == {"acts/blog/media": (f"{original.top}/log", f"{paths.top}/log")}
    assert work.left == ("acts/blog/settings.py, line 2",)


def test_a_copy_gets_ports_that_nobody_has(original: VenuePaths) -> None:
    paths = copied(original)
    ports = own_ports().of_acts
    work = examined(paths)
    assert {*work.ports} == {ports[0], ports[1]}
    assert not {*work.ports} & {*work.ports.values()}
    assert len({*work.ports.values()}) == 2
    for name in ("vassals/blog.ini", "kept/blog.ini"):
        assert f"127.0.0.1:{work.ports[ports[0]]}\n" in work.files[name].after


def test_what_was_moved_keeps_its_ports(original: VenuePaths) -> None:
    paths = VenuePaths(original.top.rename(original.top.with_name("Vier")))
    work = examined(paths, is_copy=False)
    assert not work.ports
    assert f":{own_ports().of_acts[0]}\n" in work.files["vassals/blog.ini"].after


@pytest.mark.parametrize("key", ["http-socket", "stats", "master-fifo"])
def test_a_copy_does_not_take_its_originals_socket(original: VenuePaths, key: str) -> None:
    paths = copied(original)
    file = paths.kept / "shop.ini"
    file.write_text(f"{file.read_text()}{key} = /run/shop.sock\n")
    with pytest.raises(NotAVenue, match=f"{key} = /run/shop.sock"):
        examined(paths)
    file.write_text(file.read_text().replace("/run/shop", f"{original.top}/run/shop"))
    assert f"{key} = {paths.top}/run/shop.sock" in examined(paths).files["kept/shop.ini"].after


def test_a_copy_shares_no_directory_with_its_original(original: VenuePaths, tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    original.vassals.rename(shared)
    original.vassals.symlink_to(shared)
    paths = copied(original)
    with pytest.raises(NotAVenue, match="is a link to"):
        examined(paths)
    moved = VenuePaths(original.top.rename(original.top.with_name("Vier")))
    assert "vassals/blog.ini" not in examined(moved, is_copy=False).files, "it may be another's"


def test_it_is_done_and_then_there_is_nothing_to_do(original: VenuePaths) -> None:
    paths = copied(original)
    (paths.run / "emperor.pid").write_text("1\n")
    told = relocate_venue(paths.top)
    assert told.done
    assert not [*paths.run.iterdir()]
    assert (paths.top / "bin/odd").read_bytes() == f"#!/bin/sh\n# {paths.top} ".encode() + b"\xff\n"
    assert (paths.top / "bin/tool").read_bytes() == (original.top / "bin/tool").read_bytes()
    assert (paths.top / "acts/blog/media").readlink() == paths.log
    assert json.loads(paths.shipped.read_text())["texts"]["templates/launch"] == [
        f"venue='{paths.top}'\n"
    ]
    assert paths.top in registry.venues()
    assert not relocate_venue(paths.top).changes


def test_a_second_copy_of_one_that_is_gone_is_a_copy_still(original: VenuePaths) -> None:
    """Both have its id, and only one of them may keep the ports."""
    one, two = copied(original, "eins"), copied(original, "zwei")
    shutil.rmtree(original.top)
    assert not relocate_venue(one.top).is_copy
    told = relocate_venue(two.top)
    assert told.is_copy
    assert told.ports
    first, second = made.read(one), made.read(two)
    assert first
    assert second
    assert first.id != second.id


def test_a_copy_by_hard_links_has_a_lock_of_its_own(original: VenuePaths) -> None:
    """Whose Emperor would be the original's."""
    original.emperor_lock.touch()
    (original.log / "emperor.log").write_text("before\n")
    there = original.top.with_name("Kopie")
    shutil.copytree(original.top, there, symlinks=True, copy_function=os.link)
    paths = VenuePaths(there)
    relocate_venue(there)
    assert paths.emperor_lock.stat().st_ino != original.emperor_lock.stat().st_ino
    with (paths.log / "emperor.log").open("a") as log:
        log.write("after\n")
    assert (original.log / "emperor.log").read_text() == "before\n"
    assert original.launch.read_text() == f"venue='{original.top}'\n"


def test_what_a_killed_call_has_changed_is_undone_first(original: VenuePaths) -> None:
    """Also where the new path begins with the former one, so that twice would be wrong."""
    aside = original.top.rename(original.top.with_name("aside"))
    original.top.mkdir()
    paths = VenuePaths(aside.rename(original.top / "Drei"))
    work = examined(paths, is_copy=False)
    journal = relocation_journal.Journal(pid=1, began=0.0, files=work.files, links=work.links)
    relocation_journal.write(paths, journal)
    relocation_journal.apply(paths, journal)
    assert relocation_journal.read(paths) == journal
    assert not relocate_venue(paths.top).is_copy
    assert paths.launch.read_text() == f"venue='{paths.top}'\n"
    assert (paths.top / "acts/blog/media").readlink() == paths.log


def test_an_edit_made_meanwhile_is_kept_when_all_is_undone(original: VenuePaths) -> None:
    paths = copied(original)
    work = examined(paths)
    journal = relocation_journal.Journal(pid=1, began=0.0, files=work.files, links=work.links)
    relocation_journal.write(paths, journal)
    relocation_journal.apply(paths, journal)
    paths.emperor_ini.write_text("mine\n")
    relocation_steps.undo(paths)
    assert paths.emperor_ini.read_text() == "mine\n"
    assert paths.launch.read_text() == f"venue='{original.top}'\n"
    assert (paths.top / "acts/blog/media").readlink() == original.log
    assert not paths.relocation.exists()
