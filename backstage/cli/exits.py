"""The exit codes of the command, by kind of failure."""

from __future__ import annotations

from enum import IntEnum

from ..errors import (
    BackstageError,
    Busy,
    CannotWrite,
    EnvironmentFailed,
    NameNotAllowed,
    NoSuchAct,
    NotAllowed,
    NotAVenue,
    NotInTime,
    PortUnavailable,
    ServiceFailed,
    SettingsError,
    SiteRefused,
    UnknownUser,
    UnsafeDirectory,
)


class Exit(IntEnum):
    """How the command ends."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    NOT_THERE = 3
    REFUSED = 4
    PORT = 5
    SYSTEM = 6
    LATE = 7
    BUSY = 8
    INTERRUPTED = 130

    @property
    def meaning(self) -> str:
        return _MEANINGS[self]


_MEANINGS = {
    Exit.DONE: "done, or so already",
    Exit.FAILED: "an Act or the Emperor fails, or an examination has found trouble",
    Exit.USAGE: "the command was not understood",
    Exit.NOT_THERE: "there is no such Venue or Act",
    Exit.REFUSED: "a name, a setting or a file that cannot be used",
    Exit.PORT: "the port is taken",
    Exit.SYSTEM: "the disk, its permissions or the environment stand in the way",
    Exit.LATE: "not so in time; it may still come",
    Exit.BUSY: "another process has held a lock for too long",
    Exit.INTERRUPTED: "ended by Ctrl-C",
}
# The first that fits counts.
_KINDS: tuple[tuple[type[BackstageError], Exit], ...] = (
    (NotInTime, Exit.LATE),
    (NotAVenue, Exit.NOT_THERE),
    (NoSuchAct, Exit.NOT_THERE),
    (NameNotAllowed, Exit.REFUSED),
    (SettingsError, Exit.REFUSED),
    (PortUnavailable, Exit.PORT),
    (CannotWrite, Exit.SYSTEM),
    (UnsafeDirectory, Exit.SYSTEM),
    (EnvironmentFailed, Exit.SYSTEM),
    (UnknownUser, Exit.REFUSED),
    (SiteRefused, Exit.REFUSED),
    (NotAllowed, Exit.SYSTEM),
    (ServiceFailed, Exit.SYSTEM),
    (Busy, Exit.BUSY),
)


def exit_of(error: BackstageError) -> Exit:
    """The exit code that tells of an error."""
    return next((code for kind, code in _KINDS if isinstance(error, kind)), Exit.FAILED)
