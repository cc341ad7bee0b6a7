"""On which terms another user's Venue is shared, told to those who ask for more."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence

from ..errors import NotAllowed
from ..facts.command_line import join
from ..layout.paths import VenuePaths
from ..system import users

_ALLOWED = (
    "status, top, events, logs without --grep, start, stop, restart, drain, undrain, port and url"
)


def is_shared(venue_paths: VenuePaths) -> bool:
    """Whether it is another user's Venue, who shares it with a group; root needs no group."""
    try:
        is_strangers = venue_paths.top.stat().st_uid != os.geteuid()
        is_there = stat.S_ISDIR(venue_paths.shared.lstat().st_mode)
    except OSError:
        return False
    return is_strangers and is_there and not users.am_root()


def refusal(venue_paths: VenuePaths, words: Sequence[str] = ()) -> NotAllowed:
    """The error for what members of the group may not do; `words` are those after `backstage`."""
    owner = owner_of(venue_paths)
    command = users.owner_command(owner, *(words or ("…",)))
    return NotAllowed(
        f"{venue_paths.top} belongs to {owner}, and is shared with the group "
        f"{group_of(venue_paths)} for {_ALLOWED} only; type: {command}"
    )


def no_member(venue_paths: VenuePaths) -> NotAllowed:
    """The error for a user who is not in the group, or was not yet when this session began."""
    group, me = group_of(venue_paths), users.mine()
    return NotAllowed(
        f"{venue_paths.top} belongs to {owner_of(venue_paths)}, and is shared with the group "
        f"{group}, which this process of {me} is not in; type: sudo usermod -aG "
        f"{join([group, me])}, and log in again"
    )


def owner_of(venue_paths: VenuePaths) -> str:
    return users.name_of(venue_paths.top.stat().st_uid)


def group_of(venue_paths: VenuePaths) -> str:
    """The name of the group that can enter its directory."""
    return users.group_name(venue_paths.shared.lstat().st_gid)
