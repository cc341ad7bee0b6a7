"""Examining whether members of the group can reach the Venue that is shared with it."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator

from ..facts.command_line import join
from ..layout.paths import VenuePaths
from ..layout.settings import read_settings
from ..logs import log_files
from ..system import peers, users
from .finding import Finding, Remedy, note, ok, warning

_GROUP = "group"
_ANEW = "backstage venue stop && backstage venue start"


def examine(venue_paths: VenuePaths) -> Iterator[Finding]:
    """Whether the watcher hears the group, and the way to it is open."""
    group = read_settings(venue_paths.settings).group
    if not group:
        return
    gid = peers.gid_of(group)
    if gid is None:
        remedy = Remedy(command=join(["sudo", "groupadd", group]))
        yield warning(_GROUP, f"there is no group {group!r} on this system", remedy)
    elif not peers.may_give_to(gid) and peers.is_member(os.geteuid(), gid):
        what = f"not shared: {users.mine()} has joined the group {group!r} after logging in"
        yield warning(_GROUP, what, Remedy("log in again, then", _ANEW))
    elif not peers.may_give_to(gid):
        command = join(["sudo", "usermod", "-aG", group, users.mine()])
        remedy = Remedy(
            "log in again after you have joined it, then start the Emperor anew;", command
        )
        yield warning(_GROUP, f"not shared: {users.mine()} is not in the group {group!r}", remedy)
    elif not venue_paths.shared_socket.exists():
        idle = f"not shared with the group {group!r} now: the watcher does not run"
        said = log_files.tail(venue_paths.watcher_log, 1)
        what = f"the watcher says: {said}" if said else idle
        words = "if you have joined the group since the Emperor was started, log in again; then"
        yield note(_GROUP, what, Remedy(words, _ANEW))
    else:
        yield from _way(venue_paths, group, gid)


def _way(venue_paths: VenuePaths, group: str, gid: int) -> Iterator[Finding]:
    closed = [
        place
        for place in (venue_paths.top, *venue_paths.top.parents)
        if not _is_open(place.stat().st_mode, place.stat().st_gid == gid)
    ]
    for place in closed:
        remedy = Remedy(command=join(["chmod", "o+x", str(place)]))
        yield warning(_GROUP, f"members of {group!r} may be unable to enter {place}", remedy)
    if not closed:
        yield ok(_GROUP, f"shared with {group!r}")


def _is_open(mode: int, is_of_group: bool) -> bool:
    return bool(mode & (stat.S_IXGRP if is_of_group else stat.S_IXOTH))
