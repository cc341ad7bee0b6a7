"""What the operating system refuses, as an error that says whose a file is and what to type."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import BackstageError, NotYours, SystemRefused
from ..facts.command_line import join, quote
from . import users

_DENIED = frozenset({errno.EACCES, errno.EPERM})
_SHORTAGES = frozenset(
    {
        *(errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN, errno.ENOBUFS),
        *(errno.ENOSPC, errno.EDQUOT),
    }
)


def is_shortage(error: OSError) -> bool:
    """Whether the system has run out of something, so that the same may work later."""
    return error.errno in _SHORTAGES


@contextmanager
def telling(
    action: str, venue: Path | None = None, kind: type[SystemRefused] = SystemRefused
) -> Iterator[None]:
    """Turn an OSError in the body into the error that `refusal` makes of it."""
    try:
        yield
    except OSError as error:
        if error.errno is None:
            raise
        raise refusal(error, action, venue, kind=kind) from error


def refusal(
    error: OSError,
    action: str = "",
    venue: Path | None = None,
    *words: str,
    kind: type[SystemRefused] = SystemRefused,
) -> BackstageError:
    """The error for what the system refused: NotYours if the Venue is another user's, else `kind`.

    `words` are those of the command that its owner could type.
    """
    if error.errno not in _DENIED or not isinstance(error.filename, str):
        return kind(action, error)
    culprit = _culprit(Path(error.filename))
    if venue and (owner := _stranger(culprit, venue)):
        return NotYours(venue, owner, users.mine(), *words)
    return kind(action, error, _remedy(culprit, venue))


def is_directory(path: Path) -> bool:
    """Whether there is a directory that this user can enter. Raises OSError if he may not know."""
    try:
        is_one = stat.S_ISDIR(path.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False
    if is_one:
        _refuse(path, os.X_OK)
    return is_one


def refuse_unreadable(path: Path) -> None:
    """Raise PermissionError unless this user may read a file."""
    _refuse(path, os.R_OK)


def _refuse(path: Path, right: int) -> None:
    if not os.access(path, right):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))


def _stranger(culprit: Path, venue: Path) -> str:
    """The other user to whom the Venue belongs, if that is why it cannot be used; else ''."""
    if culprit.is_relative_to(venue):
        owner = _owner(venue)
    elif venue.is_relative_to(culprit):
        owner = _owner(culprit)
    else:
        return ""
    return "" if owner in {None, os.geteuid()} else users.name_of(owner or users.ROOT)


def _culprit(path: Path) -> Path:
    """The directory on the way that this user cannot enter, or else what cannot be used itself."""
    for place in reversed(path.absolute().parents):
        if not os.access(place, os.X_OK):
            return place
    return path if os.path.lexists(path) else path.parent


def _owner(path: Path) -> int | None:
    try:
        return path.lstat().st_uid
    except OSError:
        return None


def _remedy(culprit: Path, venue: Path | None) -> str:
    """What to type to be allowed; '' if that is not known."""
    owner, me = _owner(culprit), os.geteuid()
    if owner is None or me == users.ROOT:
        return ""
    name = quote(culprit)
    if owner == me:
        return "" if _is_open(culprit) else f"Type: chmod u+rwX {name}"
    if venue and culprit.is_relative_to(venue):
        command = join(["sudo", "chown", str(me), str(culprit)])
        return f"{culprit} belongs to {users.name_of(owner)}. Type: {command}"
    return f"{culprit} belongs to {users.name_of(owner)}, and you are {users.mine()}"


def _is_open(path: Path) -> bool:
    return os.access(path, os.R_OK | os.W_OK | (os.X_OK if path.is_dir() else 0))
