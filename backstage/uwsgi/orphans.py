"""Emperors whose Venue was removed while they ran: nothing in a Venue leads to them any more.

The kernel knows them: each holds the lock on a file called `.emperor.lock` that is in no directory
any more. So nothing that a process says of itself is believed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..errors import EmperorFailed, NotAllowed
from ..facts.command_line import join
from ..layout.paths import VenuePaths
from ..system import processes, sockets, users
from ..system.locks import posix_holders

# As the kernel names the file of the lock once it was removed, and the pipe of an Act's master.
_LOCK, _FIFO = ".emperor.lock (deleted)", ".fifo (deleted)"


@dataclass(frozen=True)
class Orphan:
    """An Emperor that runs, and the path of its Venue; another Venue may be there now.

    `acts` are the names of the Acts that it still runs, `ports` those on which they listen.
    """

    pid: int
    venue: Path
    acts: tuple[str, ...]
    ports: tuple[int, ...]

    @property
    def command(self) -> str:
        """The command that ends it."""
        if users.am_root() or _owner(self.pid) == os.geteuid():
            return join(["backstage", "venue", "stop", "--orphan", str(self.pid)])
        return users.root_command("venue", "stop", "--orphan", str(self.pid))

    def __str__(self) -> str:
        runs = f", with {', '.join(self.acts)}" if self.acts else ""
        on = f" on port {', '.join(map(str, self.ports))}" if self.ports else ""
        return f"the Emperor of a Venue that was removed still runs (pid {self.pid}{runs}{on})"


def find() -> list[Orphan]:
    """All whose files this user may see: its own; for root everybody's."""
    return [_described(pid, path) for pid, path in _found()]


def at(top: Path) -> list[Orphan]:
    """Those whose Venue was at this path."""
    return [_described(pid, path) for pid, path in _found() if path == top]


def refuse_at(top: Path) -> None:
    """Raise EmperorFailed if one runs there: its Acts and those of another share their sockets.

    One of another user's, who could not have had a Venue there, is none: a process can make itself
    look so.
    """
    owners = {users.ROOT, (top if top.exists() else top.parent).stat().st_uid}
    for orphan in at(top):
        if _owner(orphan.pid) not in owners:
            continue
        raise EmperorFailed(f"{top}: {orphan}; type: {orphan.command}")


def known(pid: int) -> Orphan:
    """The orphan of this pid. Raises EmperorFailed if it is none, NotAllowed."""
    if (owner := _owner(pid)) is not None and owner != os.geteuid() and not users.am_root():
        command = users.root_command("venue", "stop", "--orphan", str(pid))
        raise NotAllowed(f"process {pid} belongs to {users.name_of(owner)}; type: {command}")
    path = _venue_of(pid, posix_holders().get(pid, set()))
    if path is None:
        raise EmperorFailed(
            f"process {pid} is no Emperor whose Venue was removed; see: backstage venues"
        )
    return _described(pid, path)


def end(pid: int) -> Orphan:
    """Kill an orphan with everything that it runs; returns when no process is left.

    It is killed, not stopped: an Act that stops removes its sockets by their path, where another
    Venue may have its own. Raises EmperorFailed if it is no orphan or survives, NotAllowed.
    """
    before = processes.family(pid)
    orphan = known(pid)
    # A pid that was given to another process meanwhile is not this one's.
    if not processes.running(before[:1]):
        return orphan
    marked = processes.left_behind(orphan.venue, _owner(pid))
    if left := [*processes.kill_family(pid), *processes.kill_all([*before, *marked])]:
        pids = ", ".join(str(process.pid) for process in left)
        raise EmperorFailed(f"processes of {orphan.venue} cannot be ended: pid {pids}")
    return orphan


def _found() -> Iterator[tuple[int, Path]]:
    for pid, inodes in sorted(posix_holders().items()):
        if path := _venue_of(pid, inodes):
            yield pid, path


def _owner(pid: int) -> int | None:
    try:
        return Path(f"/proc/{pid}").stat().st_uid
    except OSError:
        return None


def _venue_of(pid: int, locked: set[int]) -> Path | None:
    """The path of the Venue whose lock a process holds, if the lock's file was removed.

    `locked` are the inodes of the files on which it holds a lock.
    """
    for name, facts in processes.open_files(pid):
        # A file may have such a name, and be there.
        if name.name == _LOCK and facts.st_nlink == 0 and facts.st_ino in locked:
            return name.parent
    return None


def _described(pid: int, venue: Path) -> Orphan:
    masters = [members[0].pid for members in processes.families(pid)]
    acts = {name for master in masters for name in _acts_of(master, venue)}
    pids = {process.pid for process in processes.family(pid)}
    return Orphan(pid, venue, tuple(sorted(acts)), tuple(sorted(sockets.listened(pids))))


def _acts_of(master: int, venue: Path) -> Iterator[str]:
    """The Act of a vassal, whose master has its pipe open."""
    run = VenuePaths(venue).run
    for name, _ in processes.open_files(master):
        if name.name.endswith(_FIFO) and name.is_relative_to(run):
            yield name.name.removesuffix(_FIFO)
