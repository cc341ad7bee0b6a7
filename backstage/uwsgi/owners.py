"""Which Act a process belongs to: the one that an Emperor started it for, or an ancestor of it.

The kernel and the Emperors are asked, not the process, which can call itself anything.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ..errors import NotAllowed, SystemRefused
from ..layout import registry
from ..layout.paths import ActPaths, VenuePaths
from ..system import processes, sockets
from . import vassal_files
from .emperor import Emperor


@dataclass(frozen=True)
class Owner:
    """The Act `name` of the Venue at `venue`."""

    venue: Path
    name: str

    def is_act(self, act_paths: ActPaths) -> bool:
        return (self.venue, self.name) == (act_paths.venue.top, act_paths.name)

    def seen_from(self, venue: Path) -> str:
        """The Act as text: with its Venue if that is another one."""
        return f"the Act {self.name}" + (f" of {self.venue}" if venue != self.venue else "")


def holder(port: int, here: VenuePaths) -> str:
    """Who uses a port, for an error message: `the Act shop (pid 812)` or `nginx (pid 812)`."""
    pid = sockets.listener(port)
    found = owner(pid, here) if pid else None
    return f"{found.seen_from(here.top)} (pid {pid})" if found else sockets.holder(port)


def has_port(act_paths: ActPaths, port: int) -> bool:
    """Whether it is the Act that uses a port."""
    pid = sockets.listener(port)
    found = owner(pid, act_paths.venue) if pid else None
    return found is not None and found.is_act(act_paths)


def owner(pid: int, here: VenuePaths) -> Owner | None:
    """The Act that a process belongs to, in `here` or in a registered Venue; None if none."""
    line = list(processes.ancestry(pid))
    for venue_paths in (here, *map(VenuePaths, registry.venues())):
        # Another user's Venue may be unreadable.
        with suppress(NotAllowed, SystemRefused, OSError):
            emperor = Emperor(venue_paths)
            known = emperor.stats() if emperor.pid in line[1:] else None
            for file, vassal in known.vassals.items() if known else ():
                if vassal.pid in line:
                    return Owner(venue_paths.top, vassal_files.act_of(file))
    return None
