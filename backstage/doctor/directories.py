"""Examining the Venue's directories: permissions, unfinished work and disk space."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from ..facts.command_line import join, quote
from ..layout import renaming, retirement, venue_retirement
from ..layout.paths import ActPaths, VenuePaths
from ..system import users
from ..uwsgi import vassal_files
from .finding import Finding, Remedy, note, ok, trouble, warning

# The files in vassals/ that the Emperor reads.
_READ_BY_EMPEROR = frozenset({".ini", ".xml", ".yml", ".yaml", ".js", ".json"})
_MEGABYTE = 1_000_000
_LITTLE_SPACE, _TOO_LITTLE_SPACE = 1000 * _MEGABYTE, 100 * _MEGABYTE
_FEW_INODES, _TOO_FEW_INODES = 0.05, 0.01
# Logs are rotated at a tenth of this size.
_LONG_LOG = 100 * _MEGABYTE
_MUCH_RETIRED = 1000 * _MEGABYTE
# A younger file may still be in use by its writer, in seconds.
_FRESH = 60.0


def stranger(venue_paths: VenuePaths) -> Finding | None:
    """The finding that prevents all others: the Venue belongs to another user."""
    owner = venue_paths.top.stat().st_uid
    if owner == os.geteuid():
        return None
    name = users.name_of(owner)
    command = users.owner_command(name, "--venue", str(venue_paths.top), "doctor")
    what = f"belongs to {name}, and only {name} can examine it; you are {users.mine()}"
    return trouble(venue_paths.top.name, what, Remedy(command=command))


def permissions(venue_paths: VenuePaths, acts: Sequence[ActPaths]) -> Iterator[Finding]:
    """Who can write where uWSGI reads its configuration, and who can read secrets."""
    unsafe = [*_unsafe(venue_paths, acts)]
    yield from unsafe
    # Passing through it is harmless, and Acts with their own users need it.
    if venue_paths.run.exists() and stat.S_IMODE(venue_paths.run.stat().st_mode) & 0o066:
        command = join(["chmod", "700", str(venue_paths.run)])
        yield warning("run", "other users have access to it", Remedy(command=command))
    for act in acts:
        secret = act.env_file
        if secret.exists() and stat.S_IMODE(secret.stat().st_mode) & 0o077:
            remedy = Remedy(command=join(["chmod", "600", str(secret)]))
            subject = str(secret.relative_to(venue_paths.top))
            yield trouble(subject, "other users can access the secrets in it", remedy)
    if not unsafe:
        owner = users.name_of(venue_paths.top.stat().st_uid)
        yield ok("Venue", f"uWSGI's configuration can be written only by {owner}")


def disk(venue_paths: VenuePaths) -> Iterator[Finding]:
    """The free space on each file system of the Venue, and the size of its logs."""
    seen = set()
    for place in (venue_paths.top, venue_paths.acts, venue_paths.log, venue_paths.run):
        device = place.stat().st_dev if place.exists() else None
        if device is not None and device not in seen:
            seen.add(device)
            yield from room(place, os.statvfs(place))
    for log in sorted(venue_paths.log.glob("*")):
        if (size := log.stat().st_size) > _LONG_LOG:
            remedy = Remedy(command=join(["truncate", "--size", "0", str(log)]))
            yield warning(f"log/{log.name}", f"holds {_megabytes(size)}", remedy)


def room(place: Path, facts: os.statvfs_result) -> Iterator[Finding]:
    """Judge the free space and inodes of one file system."""
    subject = str(place)
    look = Remedy("free some space; to see what uses it,", f"du -xhd1 {quote(subject)} | sort -h")
    free, size = facts.f_bavail * facts.f_frsize, facts.f_blocks * facts.f_frsize
    told = f"{_megabytes(free)} of {_megabytes(size)} are free"
    if facts.f_flag & os.ST_RDONLY:
        command = f'sudo mount -o remount,rw "$(findmnt -no TARGET -T {quote(str(place))})"'
        yield trouble(subject, "is mounted read-only", Remedy(command=command))
    elif free < _TOO_LITTLE_SPACE:
        yield trouble(subject, told, look)
    elif free < _LITTLE_SPACE:
        yield warning(subject, told, look)
    else:
        yield ok(subject, told)
    # Some file systems create inodes on demand, and report no number of them.
    inodes = facts.f_favail / facts.f_files if facts.f_files else 1.0
    if inodes < _FEW_INODES:
        judge = trouble if inodes < _TOO_FEW_INODES else warning
        what = f"has room for only {facts.f_favail} more files ({inodes:.1%} of inodes are free)"
        yield judge(
            subject,
            what,
            Remedy("remove some files; to see how many there are,", f"df -i {quote(subject)}"),
        )


def leftovers(venue_paths: VenuePaths) -> Iterator[Finding]:
    """What was begun and not finished, and what nobody uses."""
    found = [*_unfinished(venue_paths), *_parts(venue_paths), *_disregarded(venue_paths)]
    yield from found
    if not found:
        yield ok("Venue", "nothing is left half-built")
    if venue_paths.retired.is_dir():
        yield _retired(venue_paths)


def _unsafe(venue_paths: VenuePaths, acts: Iterable[ActPaths]) -> Iterator[Finding]:
    """Where other users could inject code: one finding per directory, with the files in it."""
    configured = (venue_paths.top, venue_paths.emperor_ini, venue_paths.settings)
    yield from _writable(venue_paths, "Venue", [*configured, venue_paths.top / "pyvenv.cfg"])
    yield from _foreign(venue_paths, [*configured, venue_paths.acts])
    for place in (
        venue_paths.top / "bin",
        venue_paths.vassals,
        venue_paths.kept,
        venue_paths.templates,
        venue_paths.own,
        venue_paths.residents,
    ):
        inside = [place, *sorted(place.iterdir())] if place.is_dir() else []
        yield from _writable(venue_paths, place.name, inside)
        yield from _foreign(venue_paths, inside)
    yield from _writable(venue_paths, "acts", [venue_paths.acts])
    library = venue_paths.site_packages
    inside = sorted(library.iterdir()) if library.is_dir() else []
    libraries = dict.fromkeys([venue_paths.top / "lib", library.parent, library, *inside])
    # An environment that is not complete has no directory between.
    libraries.pop(venue_paths.top, None)
    yield from _writable(venue_paths, "lib", libraries)
    yield from _foreign(venue_paths, libraries)
    for act in acts:
        code = [act.top, *sorted(act.top.glob("*.py")), act.top / act.name]
        yield from _writable(
            venue_paths, act.name, [*code, *sorted(act.top.glob(f"{act.name}/*.py"))]
        )


def _writable(venue_paths: VenuePaths, subject: str, places: Iterable[Path]) -> Iterator[Finding]:
    writable = stat.S_IWOTH | stat.S_IWGRP
    unsafe = [place for place in places if _is(place, lambda facts: facts.st_mode & writable > 0)]
    if unsafe:
        everybody = any(place.stat().st_mode & stat.S_IWOTH for place in unsafe)
        who = "everybody" if everybody else f"the group {unsafe[0].stat().st_gid}"
        shown = _shown(venue_paths, unsafe)
        what = f"{shown} can be written by {who}, who can use it to run code as you"
        yield trouble(subject, what, Remedy(command=join(["chmod", "go-w", *map(str, unsafe)])))


def _foreign(venue_paths: VenuePaths, places: Iterable[Path]) -> Iterator[Finding]:
    trusted = {venue_paths.top.stat().st_uid, 0}
    foreign = [place for place in places if _is(place, lambda facts: facts.st_uid not in trusted)]
    if foreign:
        owner, user = (
            users.name_of(place.stat().st_uid) for place in (foreign[0], venue_paths.top)
        )
        shown = _shown(venue_paths, foreign)
        what = f"{shown} belongs to {owner}, who can use it to run code as {user}"
        command = join(["sudo", "chown", user, *map(str, foreign)])
        yield trouble(foreign[0].name, what, Remedy(command=command))


def _is(place: Path, judge: Callable[[os.stat_result], bool]) -> bool:
    return place.exists() and judge(place.stat())


def _shown(venue_paths: VenuePaths, places: Sequence[Path]) -> str:
    """The first path, and the number of the others."""
    first = (
        str(places[0].relative_to(venue_paths.top))
        if places[0] != venue_paths.top
        else str(venue_paths.top)
    )
    return first if len(places) == 1 else f"{first} and {len(places) - 1} more"


def _unfinished(venue_paths: VenuePaths) -> Iterator[Finding]:
    for path in sorted(venue_paths.acts.glob(".*.building")):
        name = path.name[1:].removesuffix(".building")
        remedy = Remedy("to finish it,", _new_act(name))
        yield warning(name, "is a half-built Act", remedy)
    for path in sorted(venue_paths.kept.glob("*.preparing")):
        remedy = Remedy("to finish it,", _new_act(path.stem))
        yield warning(path.stem, "is an Act that was not completely made", remedy)
    yield from _half_retired(venue_paths)
    known = vassal_files.names(venue_paths.vassals) | vassal_files.names(venue_paths.kept)
    for manage in sorted(venue_paths.acts.glob("[!.]*/manage.py")):
        name = manage.parent.name
        if name not in known and not venue_paths.act(name).preparing.exists():
            remedy = Remedy("to make it one,", _new_act(name))
            yield note(f"acts/{name}", "is a project but not an Act", remedy)


def _half_retired(venue_paths: VenuePaths) -> Iterator[Finding]:
    for each in retirement.retirements(venue_paths):
        if each.returning:
            command = join(["backstage", "unretire", each.directory.name])
            yield warning(each.act, "is half brought back", Remedy("to finish that,", command))
        elif each.was_killed:
            command = join(["backstage", "retire", each.act, "--yes"])
            yield warning(each.act, "is half retired", Remedy("to finish that,", command))
    if renames := renaming.read(venue_paths):
        command = join(["backstage", "rename", renames.before, renames.after])
        what = f"is half renamed to {renames.after}"
        yield warning(renames.before, what, Remedy("to finish that,", command))
    if venue_retirement.read(venue_paths):
        command = join(["backstage", "unretire", str(venue_paths.top)])
        words = "to finish that, retire it again; to undo it,"
        yield warning("Venue", "is half retired", Remedy(words, command))


def _new_act(name: str) -> str:
    return f"backstage new-act {quote(name)}"


def _parts(venue_paths: VenuePaths) -> Iterator[Finding]:
    places = (
        venue_paths.top,
        venue_paths.vassals,
        venue_paths.kept,
        venue_paths.run,
        venue_paths.templates,
        venue_paths.acts,
    )
    beside = [part for place in places for part in place.glob(".*.part")]
    stale = [
        part
        for part in sorted([*beside, *venue_paths.acts.glob("*/.*.part")])
        if time.time() - part.stat().st_mtime > _FRESH
    ]
    if stale:
        what = f"{_shown(venue_paths, stale)} was never completely written"
        yield note("Venue", what, Remedy(command=join(["rm", *map(str, stale)])))


def _disregarded(venue_paths: VenuePaths) -> Iterator[Finding]:
    """Files that the Emperor runs, but that are not Acts."""
    for path in sorted(venue_paths.vassals.glob("*")):
        if path.suffix in _READ_BY_EMPEROR and not vassal_files.act_of(path.name):
            name = path.name.lstrip(".").rpartition(".")[0]
            what = "is run by the Emperor but is not an Act: a vassal file of an Act is NAME.ini"
            words = f"rewrite it as {name}.ini, or"
            remedy = Remedy(words, join(["rm", str(path)]))
            yield warning(f"vassals/{path.name}", what, remedy)


def _retired(venue_paths: VenuePaths) -> Finding:
    count = sum(entry.is_dir() for entry in venue_paths.retired.iterdir())
    size = sum(path.lstat().st_size for path in venue_paths.retired.rglob("*"))
    what = f"holds {count} retired Act{'s' * (count != 1)}, {_megabytes(size)}"
    if size < _MUCH_RETIRED:
        return ok("retired", what)
    command = f"du -sh {quote(str(venue_paths.retired))}/*"
    return note("retired", what, Remedy("to see what can be removed,", command))


def _megabytes(size: int) -> str:
    if size < 10_000 * _MEGABYTE:
        return f"{size / _MEGABYTE:.0f} MB"
    return f"{size / _MEGABYTE / 1000:.0f} GB"
