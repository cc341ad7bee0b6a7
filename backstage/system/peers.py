"""Who is at the other end of a Unix socket, and whether a user is a member of a group."""

from __future__ import annotations

import grp
import os
import pwd
import socket
import struct

from . import users

# struct ucred of Linux: pid, uid, gid.
_UCRED = struct.Struct("iII")


def uid_of(connection: socket.socket) -> int:
    """The user who connected; of a socket that has connected itself, the one who listens."""
    told = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
    return int(_UCRED.unpack(told)[1])


def gid_of(group: str) -> int | None:
    """The gid of a group; None if there is no group of this name."""
    try:
        return grp.getgrnam(group).gr_gid
    except KeyError:
        return None


def is_member(uid: int, gid: int) -> bool:
    """Whether the system's database has the user in the group, whatever groups a process has."""
    try:
        user = pwd.getpwuid(uid)
    except KeyError:
        return False
    return gid in os.getgrouplist(user.pw_name, user.pw_gid)


def may_give_to(gid: int) -> bool:
    """Whether this process may give files to the group."""
    return users.am_root() or gid in {os.getegid(), *os.getgroups()}
