"""What names the former path in a Venue that was moved or copied, and what takes its place."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePath
from typing import cast

from ..errors import NotAVenue
from ..layout.former_path import FormerPath
from ..layout.made import Made
from ..layout.paths import VenuePaths
from ..system import as_user, users
from ..system.files import contents, open_regular
from ..uwsgi import ports, vassal_files
from ..uwsgi.ini import SOCKETS, VassalFile
from ..virtualenvs.copying import adopted
from .upgrade_journal import Change

# The files of a Venue that name its path, relative to it; projects are their owners'.
_FILES = (
    *("emperor.ini", "venue.yaml", "pyvenv.cfg", "bin/*", "templates/*", "vassals/*", "kept/*"),
    *(".env", "acts/*/.env", "acts/*/project.yaml", "retired/*/*.ini", "retired/*/*.launch"),
    *("retired/*/.env", "retired/*/*/.env", "lib/python3*/site-packages/*.pth"),
    *("lib/python3*/site-packages/__editable__*", "lib/python3*/site-packages/*/direct_url.json"),
)
# Those that are JSON, whose text may write the path in another way.
_RECORDS = (
    *(".backstage/shipped.json", ".backstage/upgrade.json"),
    "acts/*/releases/*/release.json",
)
# Those of virtualenv that quote the path only if a shell needs it.
_ACTIVATES = ("bin/activate", "bin/activate.csh", "bin/activate.fish")
_OF_ACTS = ("vassals/", "kept/")
# Directories that a copy must have for itself.
_PARTS = ("acts", "vassals", "kept", "templates", "log", ".backstage", "retired", "bin", "lib")
# Options of a vassal file that name what only one Act can have.
_ALONE = (*SOCKETS, "stats", "master-fifo")
# Longer than any file that is rewritten, in bytes.
_LONGEST = 1_000_000
# What is searched in the projects, and how much of it is told.
_SOURCES = (".py", ".ini", ".cfg", ".conf", ".toml", ".yaml", ".yml", ".json", ".sh", ".env")
_PASSED_OVER = {".git", "node_modules", "__pycache__", "staticfiles", "media", "env"}
_MOST = 20


@dataclass(frozen=True)
class Work:
    """The texts and the links that change, relative to the Venue, and the new ports of a copy."""

    files: Mapping[str, Change]
    links: Mapping[str, tuple[str, str]]
    ports: Mapping[int, int]
    left: tuple[str, ...]


def examine(venue_paths: VenuePaths, made: Made, *, is_copy: bool) -> Work:
    """What is to be done; changes nothing. For a copy, the lock for choosing ports must be held.

    Raises NotAVenue for a copy that shares with its original what only one can have.
    """
    former = FormerPath(made.path, venue_paths.top)
    links = dict(_links(venue_paths, former))
    if is_copy:
        _refuse_shared_parts(venue_paths, links)
    found = dict(_changes(venue_paths, former))
    chosen: Mapping[int, int] = {}
    if is_copy:
        files = {name: _vassal_file(venue_paths, name, found) for name in _vassals(venue_paths)}
        _refuse_shared_sockets(venue_paths, files)
        chosen = ports.successors(files.values(), venue_paths, VenuePaths(made.path))
        for name, file in files.items():
            if (text := file.with_ports(chosen).text) != file.text:
                change = found.get(name) or _unchanged(venue_paths, name)
                found[name] = Change(change.before, text, change.mode)
    left = (*_elsewhere(venue_paths, former), *_in_projects(venue_paths, former))
    return Work(found, links, chosen, left)


def examine_renaming(venue_paths: VenuePaths, former: FormerPath) -> Work:
    """What names the former directory of an Act that was renamed; changes nothing.

    Retired Acts may have had that directory before it.
    """
    found = {name: each for name, each in _changes(venue_paths, former) if _is_in_use(name)}
    links = {name: both for name, both in _links(venue_paths, former) if _is_in_use(name)}
    left = (*_elsewhere(venue_paths, former), *_in_projects(venue_paths, former))
    return Work(found, links, {}, left)


def _is_in_use(name: str) -> bool:
    return not name.startswith(("retired/", ".backstage/"))


def is_of_acts(name: str) -> bool:
    """Whether it is a vassal file, whose date the Emperor compares."""
    return name.startswith(_OF_ACTS)


def _changes(venue_paths: VenuePaths, former: FormerPath) -> Iterator[tuple[str, Change]]:
    for name in _names(venue_paths):
        change = _unchanged(venue_paths, name)
        before = change.before or ""
        after = _rewritten(name, before, venue_paths, former)
        if "\0" not in before and after != before:
            yield name, Change(before, after, change.mode)


def _names(venue_paths: VenuePaths) -> Iterator[str]:
    """The files that may name the path, which are the Venue's own: none is reached by a link."""
    top = venue_paths.top
    for pattern in (*_FILES, *_RECORDS):
        for path in sorted(top.glob(pattern)):
            if _is_own(path, top):
                yield str(path.relative_to(top))


def _is_own(path: Path, top: Path) -> bool:
    facts = path.lstat()
    is_file = stat.S_ISREG(facts.st_mode) and facts.st_size <= _LONGEST
    return is_file and Path(os.path.realpath(path.parent)).is_relative_to(top)


def _unchanged(venue_paths: VenuePaths, name: str) -> Change:
    """A file as it is."""
    with os.fdopen(open_regular(venue_paths.top / name), "rb") as file:
        text = file.read().decode(errors="surrogateescape")
        return Change(text, text, stat.S_IMODE(os.fstat(file.fileno()).st_mode))


def _rewritten(name: str, text: str, venue_paths: VenuePaths, former: FormerPath) -> str:
    if any(PurePath(name).match(pattern) for pattern in _RECORDS):
        try:
            return json.dumps(former.replaced_within(json.loads(text)))
        except (ValueError, RecursionError):
            return text
    head = text.partition("\n")[0] if not text.startswith("#!/bin/sh\n'''exec'") else text[:500]
    if name.startswith("bin/") and former.lines(head):
        # The first line has another form for a long path, and for one with a space.
        content = adopted(text.encode(errors="surrogateescape"), venue_paths.python)
        text = content.decode(errors="surrogateescape")
    return former.replaced_in_shell(text) if name in _ACTIVATES else former.replaced(text)


def _links(venue_paths: VenuePaths, former: FormerPath) -> Iterator[tuple[str, tuple[str, str]]]:
    for folder, folders, names in os.walk(venue_paths.top):
        for path in (Path(folder, name) for name in (*folders, *names)):
            if path.is_symlink() and (target := former.target(before := path.readlink())):
                yield str(path.relative_to(venue_paths.top)), (str(before), str(target))


def _vassals(venue_paths: VenuePaths) -> list[str]:
    places = (venue_paths.vassals, venue_paths.kept)
    return [
        f"{place.name}/{act}.ini" for place in places for act in sorted(vassal_files.names(place))
    ]


def _vassal_file(venue_paths: VenuePaths, name: str, found: Mapping[str, Change]) -> VassalFile:
    change = found.get(name) or _unchanged(venue_paths, name)
    return VassalFile(Path(name).stem, change.after)


def _refuse_shared_parts(venue_paths: VenuePaths, links: Mapping[str, object]) -> None:
    """A link that leads out of the copy leads to what the original uses."""
    for name in _PARTS:
        path = venue_paths.top / name
        if path.is_symlink() and name not in links and not _leads_within(path, venue_paths.top):
            raise NotAVenue(
                path,
                f"is a link to {path.readlink()}, which the original uses too; replace it by a "
                "directory of the copy's own, then repeat the command",
            )


def _leads_within(link: Path, top: Path) -> bool:
    return Path(os.path.realpath(link)).is_relative_to(top)


def _refuse_shared_sockets(venue_paths: VenuePaths, files: Mapping[str, VassalFile]) -> None:
    for name, file in files.items():
        for key in _ALONE:
            value = file.get(key) or ""
            if value.startswith("/") and not Path(value).is_relative_to(venue_paths.top):
                path = venue_paths.top / name
                raise NotAVenue(
                    path,
                    f"has `{key} = {value}`, which the original uses too; give the copy another "
                    "one there, then repeat the command",
                )


def _elsewhere(venue_paths: VenuePaths, former: FormerPath) -> Iterator[str]:
    """The vassal files that are links to files elsewhere."""
    for name in _vassals(venue_paths):
        path = venue_paths.top / name
        if path.is_symlink() and not _leads_within(path, venue_paths.top):
            text = contents(path).decode(errors="surrogateescape")
            for number in former.lines(text)[:1]:
                yield f"{os.path.realpath(path)}, line {number}"


def _in_projects(venue_paths: VenuePaths, former: FormerPath) -> list[str]:
    """The first places in the projects that name the former path, each read by its owner."""
    told: list[str] = []
    for project in sorted(venue_paths.acts.glob("*")):
        owner = project.lstat().st_uid if users.am_root() else users.ROOT
        found = as_user.run_as(owner or None, partial(_in_project, venue_paths, project, former))
        told += cast("list[str]", found)
    return told[:_MOST]


def _in_project(venue_paths: VenuePaths, project: Path, former: FormerPath) -> list[str]:
    told: list[str] = []
    for folder, folders, names in os.walk(project):
        folders[:] = sorted(name for name in folders if name not in _PASSED_OVER)
        for path in (Path(folder, name) for name in sorted(names) if name != ".env"):
            if path.suffix in _SOURCES and _is_own(path, venue_paths.top):
                name = str(path.relative_to(venue_paths.top))
                text = _unchanged(venue_paths, name).before or ""
                told += [f"{name}, line {number}" for number in former.lines(text)]
                if len(told) >= _MOST:
                    return told
    return told
