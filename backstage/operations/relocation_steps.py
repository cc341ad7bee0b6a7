"""The steps of a relocation that touch the Venue's own files; root runs them as its owner.

What they return can be told as JSON.
"""

from __future__ import annotations

import shutil
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..errors import Busy
from ..layout import made, registry
from ..layout.made import Made
from ..layout.names import check_venue_path
from ..layout.paths import VenuePaths
from ..system.files import lock_holder, make_private, remove_tree, telling_disk_trouble
from ..system.locks import locked
from ..uwsgi import vassal_files
from ..virtualenvs import replacement
from . import relocation_journal, relocation_plan
from .relocation_journal import Journal
from .relocation_plan import Work


def origin(venue_paths: VenuePaths) -> dict[str, Any]:
    """Where the Venue was made, whether it is a copy, the pid of its Emperor, and what was killed.

    Raises NameNotAllowed if it cannot work where it is now.
    """
    check_venue_path(venue_paths.top)
    venue_paths.check_socket_room()
    for place in (venue_paths.vassals, venue_paths.kept):
        for name in vassal_files.names(place):
            venue_paths.act(name).check_socket_room()
    known = made.read(venue_paths) or Made(venue_paths.top)
    if made.is_at(known.path, venue_paths.top):
        # By another name, perhaps: a bind mount, or a link that was left there.
        known = replace(known, path=venue_paths.top)
    killed = relocation_journal.read(venue_paths)
    is_copy = _is_copy(venue_paths, known)
    return {
        "path": str(known.path),
        "former": known.former,
        "is_copy": is_copy,
        "pid": _own_emperor(venue_paths, is_copy=is_copy),
        "killed": killed is not None,
        "ran": killed is not None and killed.ran,
    }


def look(venue_paths: VenuePaths, is_copy: bool) -> dict[str, Any]:
    """What there is to do; changes nothing."""
    known = made.read(venue_paths)
    assert known
    with telling_disk_trouble(f"cannot examine {venue_paths.top}"), _ports(is_copy=is_copy):
        return _packed(relocation_plan.examine(venue_paths, known, is_copy=is_copy))


def other_python(venue_paths: VenuePaths) -> str:
    """The interpreter that takes the place of one that is gone; '' if none needs to.

    Raises EnvironmentFailed if there is none.
    """
    if not replacement.is_needed(venue_paths.top):
        return ""
    found = replacement.find(venue_paths.top)
    return f"{'.'.join(map(str, found.version))}, {found.executable}"


def replace_python(venue_paths: VenuePaths) -> None:
    """Put it in its place. Raises EnvironmentFailed."""
    if replacement.is_needed(venue_paths.top):
        with telling_disk_trouble(f"cannot renew the Python of {venue_paths.top}"):
            replacement.replace(venue_paths.top, replacement.find(venue_paths.top))
            if known := made.read(venue_paths):
                made.write(venue_paths, replace(known, python=made.here(venue_paths).python))


def note_stop(venue_paths: VenuePaths, me: tuple[int, float]) -> None:
    """Write down that an Emperor is about to be stopped, which is started again in the end."""
    with telling_disk_trouble(f"cannot relocate {venue_paths.top}"), _alone(venue_paths, me[0]):
        before = relocation_journal.read(venue_paths)
        empty = Journal(pid=me[0], began=me[1], files={}, links={})
        mine = replace(before or empty, pid=me[0], began=me[1], ran=True)
        relocation_journal.write(venue_paths, mine)


def begin(venue_paths: VenuePaths, me: tuple[int, float], is_copy: bool) -> dict[str, Any]:
    """Make every change in the Venue, undone first what a killed call has changed."""
    known = made.read(venue_paths)
    assert known
    with telling_disk_trouble(f"cannot relocate {venue_paths.top}"), _alone(venue_paths, me[0]):
        killed = relocation_journal.read(venue_paths)
        if killed:
            relocation_journal.put_back(venue_paths, killed)
        with _ports(is_copy=is_copy):
            work = relocation_plan.examine(venue_paths, known, is_copy=is_copy)
            ran = killed is not None and killed.ran
            journal = Journal(pid=me[0], began=me[1], files=work.files, links=work.links, ran=ran)
            relocation_journal.write(venue_paths, journal)
            try:
                _separate(venue_paths, is_copy=is_copy)
                relocation_journal.apply(venue_paths, journal)
                registry.register(venue_paths.top)
            except BaseException:
                undo(venue_paths)
                raise
    return _packed(work)


def undo(venue_paths: VenuePaths) -> None:
    """Put everything back as it was before `begin`."""
    registry.forget(venue_paths.top)
    if not (journal := relocation_journal.read(venue_paths)):
        return
    relocation_journal.put_back(venue_paths, journal)
    if journal.ran:
        # The call that succeeds starts the Emperor again.
        relocation_journal.write(venue_paths, replace(journal, files={}, links={}))
    else:
        relocation_journal.remove(venue_paths)


def commit(venue_paths: VenuePaths, is_copy: bool, waits: bool) -> None:
    """Record that the Venue is made here now: from here on it can be opened."""
    known = made.read(venue_paths)
    assert known
    with telling_disk_trouble(f"cannot relocate {venue_paths.top}"):
        new = made.here(venue_paths, "" if is_copy else known.id)
        former = "" if is_copy or not waits else str(known.path)
        made.write(venue_paths, replace(new, former=former))
        if not is_copy and not (known.path / "venue.yaml").exists():
            registry.forget(known.path)


def settle(venue_paths: VenuePaths) -> None:
    """Nothing outside of the Venue names its former path any more."""
    if (known := made.read(venue_paths)) and known.former:
        made.write(venue_paths, replace(known, former=""))


def forget(venue_paths: VenuePaths) -> None:
    """Everything is done."""
    relocation_journal.remove(venue_paths)


def _is_copy(venue_paths: VenuePaths, known: Made) -> bool:
    """Whether there is another Venue that it was copied from, or with it from the same one."""
    if known.path == venue_paths.top:
        return False
    return made.has_original(known, venue_paths.top) or any(
        (other := made.read(VenuePaths(top))) and other.id == known.id
        for top in registry.venues()
        if known.id and not made.is_at(top, venue_paths.top)
    )


def _own_emperor(venue_paths: VenuePaths, *, is_copy: bool) -> int | None:
    """The pid of the Emperor of this directory: a copy by hard links shares its original's lock."""
    lock = venue_paths.emperor_lock
    is_shared = is_copy and lock.is_file() and lock.stat().st_nlink > 1
    return None if is_shared else lock_holder(lock)


def _separate(venue_paths: VenuePaths, *, is_copy: bool) -> None:
    """Take what belongs to other processes out of the Venue, in which nothing runs now."""
    run = venue_paths.run
    if is_copy:
        for lock in (venue_paths.emperor_lock, venue_paths.watcher_lock):
            lock.unlink(missing_ok=True)
        venue_paths.emperor_lock.touch(mode=0o600)
        if run.is_symlink():
            run.unlink()
        for log in venue_paths.log.glob("*"):
            _take_apart(log)
    make_private(run)
    for entry in run.iterdir():
        if is_copy or entry.suffix != ".drain":
            remove_tree(entry)


def _take_apart(log: Path) -> None:
    """Give a copy by hard links a log of its own."""
    if log.is_file() and not log.is_symlink() and log.stat().st_nlink > 1:
        part = log.with_name(f".{log.name}.part")
        shutil.copy2(log, part)
        part.replace(log)


def _alone(venue_paths: VenuePaths, me: int) -> AbstractContextManager[None]:
    """The lock for changing the journal. Raises Busy if another process relocates the Venue."""
    make_private(venue_paths.own)
    journal = relocation_journal.read(venue_paths)
    if journal and journal.is_of_another(me):
        raise Busy(f"another process (pid {journal.pid}) relocates {venue_paths.top}")
    return locked(venue_paths.own / "relocation.lock", f"relocating {venue_paths.top}")


def _ports(*, is_copy: bool) -> AbstractContextManager[None]:
    return registry.choosing_ports() if is_copy else nullcontext()


def _packed(work: Work) -> dict[str, Any]:
    return {
        "files": sorted(work.files),
        "links": sorted(work.links),
        "ports": [[before, after] for before, after in work.ports.items()],
        "left": list(work.left),
    }
