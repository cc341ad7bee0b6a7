"""Users and groups of this system, and becoming another user."""

from __future__ import annotations

import grp
import os
import pwd
import shutil
import stat
import sys
from collections.abc import Iterable
from pathlib import Path

from ..errors import NotAllowed, UnknownUser
from ..facts.command_line import join, quote
from . import trust

ROOT = 0
# sudo's usual PATH.
_ROOTS_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# Variables that name one user's directories, which another user cannot use.
_PERSONAL = ("XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME")


def am_root() -> bool:
    """Whether this process runs as root."""
    return os.geteuid() == ROOT


def by_name(name: str) -> pwd.struct_passwd:
    """The user called `name`. Raises UnknownUser."""
    try:
        return pwd.getpwnam(name)
    except KeyError as error:
        raise UnknownUser(name) from error


def by_uid(uid: int) -> pwd.struct_passwd:
    """The user with this uid. Raises UnknownUser."""
    try:
        return pwd.getpwuid(uid)
    except KeyError as error:
        raise UnknownUser(str(uid)) from error


def name_of(uid: int) -> str:
    """The name of a user; `#` and the uid if there is none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"#{uid}"


def home_of(uid: int) -> str:
    """The home directory of a user; `/` if there is no such user."""
    try:
        return pwd.getpwuid(uid).pw_dir
    except KeyError:
        return "/"


def group_of(user: pwd.struct_passwd) -> str:
    """The name of a user's primary group, or its gid if it has no name."""
    return group_name(user.pw_gid)


def group_name(gid: int) -> str:
    """The name of a group, or its gid if it has no name."""
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


def first_group(names: Iterable[str], default: int) -> int:
    """The gid of the first of these groups that exists, else `default`."""
    known = {group.gr_name: group.gr_gid for group in grp.getgrall()}
    return next((known[name] for name in names if name in known), default)


def mine() -> str:
    """The name of the user who runs this process."""
    return name_of(os.geteuid())


def root_command(*words: str) -> str:
    """A command line that runs `backstage` as root, whose PATH may not include it."""
    return join([*([] if am_root() else ["sudo"]), program(), *words])


def owner_command(owner: str, *words: str) -> str:
    """A command line that runs `backstage` as another user."""
    return join(["sudo", "-u", owner, program(), *words])


def program() -> str:
    """What to type for `backstage` behind `sudo`: its path where sudo would not find it."""
    found = shutil.which("backstage", path=_ROOTS_PATH)
    return "backstage" if found else str(Path(sys.prefix, "bin", "backstage"))


def stand_in(venue: Path, act: Path | None = None) -> int | None:
    """The uid that root should run the programs of a Venue, or of an Act in it, as.

    That is the owner of the Venue or, if root owns the Venue, the owner of the Act's directory.
    None if root owns both or this process is not root: then the user does not change. Raises
    UnsafeDirectory for a Venue of root's that somebody else could replace.
    """
    if not am_root():
        return None
    if owner := venue.lstat().st_uid:
        return owner
    trust.refuse_shared(venue, ROOT)
    if act and os.path.lexists(act):
        return act.lstat().st_uid or None
    return None


def why_not_as_root(path: Path) -> str:
    """Why root does not run a command that stands in this file; '' if only root can change it."""
    facts = path.stat()
    if facts.st_uid == ROOT and not facts.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return ""
    return f"not run as root: {path.name} can be changed by others; type: {_closed(path)}"


def _closed(path: Path) -> str:
    """The command after which only root can change a file."""
    return f"chown root {quote(path)} && chmod go-w {quote(path)}"


def has_become() -> bool:
    """Whether this process was root's and has become another user's."""
    return _Became.somebody


def become(uid: int) -> None:
    """Become this user, permanently; only root can.

    Raises UnknownUser for a uid without a user, and NotAllowed if that user cannot read this
    library.
    """
    user = by_uid(uid)
    _Became.somebody = True
    os.initgroups(user.pw_name, user.pw_gid)
    os.setgid(user.pw_gid)
    os.setuid(uid)
    for variable in _PERSONAL:
        os.environ.pop(variable, None)
    runtime = f"/run/user/{uid}"
    os.environ.update(HOME=user.pw_dir, USER=user.pw_name, LOGNAME=user.pw_name)
    os.environ["XDG_RUNTIME_DIR"] = runtime
    here = Path(__file__).parents[1]
    if not os.access(here, os.R_OK | os.X_OK):
        raise NotAllowed(
            f"the owner of this Venue, {user.pw_name}, cannot read {here}; install backstage where "
            f"everybody can read it, or type: runuser -u {quote(user.pw_name)} -- backstage …"
        )


class _Became:
    somebody = False
