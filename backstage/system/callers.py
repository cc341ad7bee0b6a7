"""On whose behalf this process acts."""

from __future__ import annotations

import os

from . import users


def name() -> str:
    """The name of the user who acts: root stays root when it has become the owner of a Venue."""
    uid = users.ROOT if users.has_become() else os.geteuid()
    return _Caller.name or users.name_of(uid)


def act_for(name: str) -> None:
    """From now on this process acts on behalf of a user; only the owner or root can let it."""
    _Caller.name = name


class _Caller:
    name = ""
