"""Whether a Venue is under one user's control: only then is anything in it executed."""

from __future__ import annotations

import errno
import grp
import os
import pwd
import stat
from collections.abc import Callable, Sequence
from pathlib import Path

from ..errors import UnsafeDirectory
from ..facts.command_line import join, quote

_ROOT = 0


def refuse_foreign(venue: Path) -> None:
    """Raise UnsafeDirectory if a Venue belongs to neither this user nor root.

    So for one in a directory of root's where others may write, such as /tmp itself.
    """
    facts, uid = venue.lstat(), _runner(venue)
    if _is_foreign(facts, uid):
        raise _not_yours(venue)
    if facts.st_uid != uid and _is_loose(facts, uid):
        raise _loose([venue])


def refuse_untrusted(venue: Path) -> None:
    """Raise UnsafeDirectory if others than this user and root could put something into a Venue."""
    refuse_foreign(venue)
    refuse_shared(venue, _runner(venue))


def refuse_shared(venue: Path, uid: int) -> None:
    """Raise UnsafeDirectory unless only this user and root can replace a directory, or write in it.

    As OpenSSH does with a user's keys: all directories on the way count, sticky ones such as /tmp
    less, and so do links and where they lead.
    """
    real = venue.resolve()
    for place in dict.fromkeys((venue, *venue.parents, real, *real.parents)):
        facts = place.lstat()
        if _is_foreign(facts, uid):
            owner = _name(place.owner, facts.st_uid)
            why = f"belongs to {owner}, who can put something else in the place of {venue}"
            raise UnsafeDirectory(place, why, join(["chown", str(uid), str(place)]))
        # In a sticky directory, nobody can remove another user's files.
        kept = place not in {venue, real} and facts.st_mode & stat.S_ISVTX
        # Everybody may write in a link, but only its owner can change it.
        if not kept and not stat.S_ISLNK(facts.st_mode) and _is_loose(facts, uid):
            raise _loose([place])


def first_stranger(path: Path, below: Path = Path("/")) -> int | None:
    """The first user but root who owns a directory on the way from `below` to what is at `path`.

    That user can put something else in the place of all that follows: root changes what is there
    only with that user's rights. None if there is none. Raises OSError for a link on the way.
    """
    place = below
    for name in ("", *path.parent.relative_to(below).parts):
        place /= name
        facts = place.lstat()
        if facts.st_uid != _ROOT:
            return facts.st_uid
        if not stat.S_ISDIR(facts.st_mode):
            raise OSError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(place))
    return None


def may_read(uid: int, path: Path) -> bool:
    """Whether this user can read a file, by the owners, groups and modes on the way to it."""
    try:
        user = pwd.getpwuid(uid)
        groups = {*os.getgrouplist(user.pw_name, user.pw_gid)}
    except KeyError:
        groups = set()
    real = path.resolve()
    wanted = [(place, stat.S_IXOTH) for place in real.parents] + [(real, stat.S_IROTH)]
    return all(_may(place.stat(), uid, groups, bit) for place, bit in wanted)


def _may(facts: os.stat_result, uid: int, groups: set[int], others: int) -> bool:
    """Whether a user has the right that others would have by this bit."""
    shift = 6 if facts.st_uid == uid else 3 if facts.st_gid in groups else 0
    return bool(facts.st_mode & others << shift)


def refuse_loose(venue: Path, places: Sequence[Path]) -> None:
    """Raise UnsafeDirectory if others than this user and root could write in any of these places.

    Those that are not there do not count. Of a link, its own owner does, and the mode of its file.
    """
    uid = _runner(venue)
    foreign = [
        place for place in places if (facts := _facts(place.lstat)) and _is_foreign(facts, uid)
    ]
    if foreign:
        owner = _name(foreign[0].owner, foreign[0].lstat().st_uid)
        words = ["chown", "-h", str(uid), *map(str, foreign)]
        sudo = [] if os.geteuid() == _ROOT else ["sudo"]
        raise UnsafeDirectory(foreign[0], f"belongs to {owner}", join([*sudo, *words]))
    writable = stat.S_IWGRP | stat.S_IWOTH
    loose = [
        place for place in places if (facts := _facts(place.stat)) and facts.st_mode & writable
    ]
    if loose:
        raise _loose(loose)


def _runner(venue: Path) -> int:
    """Who runs what is in a Venue: root runs it as its owner."""
    return os.geteuid() or venue.lstat().st_uid


def _facts(look: Callable[[], os.stat_result]) -> os.stat_result | None:
    """What a look tells; None if nothing is there, or a link leads nowhere."""
    try:
        return look()
    except OSError:
        return None


def _is_foreign(facts: os.stat_result, uid: int) -> bool:
    return facts.st_uid not in {uid, _ROOT}


def _is_loose(facts: os.stat_result, uid: int) -> bool:
    shared = facts.st_mode & stat.S_IWGRP and not _is_private(facts.st_gid, uid)
    return bool(facts.st_mode & stat.S_IWOTH or shared)


def _not_yours(venue: Path) -> UnsafeDirectory:
    owner = _name(venue.owner, venue.lstat().st_uid)
    again = f"sudo -u {owner} backstage --venue {quote(str(venue))} …"
    return UnsafeDirectory(venue, f"belongs to {owner}, so nothing in it is run", again)


def _loose(places: Sequence[Path]) -> UnsafeDirectory:
    facts = places[0].stat()
    everybody = facts.st_mode & stat.S_IWOTH
    who = "everybody" if everybody else f"the group {_name(places[0].group, facts.st_gid)}"
    more = f"and {len(places) - 1} more " if len(places) > 1 else ""
    remedy = join(["chmod", "go-w", *map(str, places)])
    return UnsafeDirectory(places[0], f"{more}can be written by {who}", remedy)


def _name(lookup: Callable[[], str], number: int) -> str:
    """The name of a user or a group; `#` and its number if it has none."""
    try:
        return lookup()
    except KeyError:
        return f"#{number}"


def _is_private(gid: int, uid: int) -> bool:
    """Whether nobody but this user and root is in a group, as where each user has an own group."""
    allowed = {uid, _ROOT}
    if any(user.pw_uid not in allowed for user in pwd.getpwall() if user.pw_gid == gid):
        return False
    try:
        members = grp.getgrgid(gid).gr_mem
        return all(pwd.getpwnam(name).pw_uid in allowed for name in members)
    except KeyError:
        return False
