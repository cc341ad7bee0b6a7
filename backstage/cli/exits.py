"""The command's exit codes, one for each kind of failure."""

from __future__ import annotations

from enum import IntEnum

from ..errors import (
    BackstageError,
    Busy,
    CheckFailed,
    EnvironmentFailed,
    NameNotAllowed,
    NoSuchAct,
    NotAllowed,
    NotAVenue,
    NotInTime,
    PortUnavailable,
    ProjectRefused,
    ServiceFailed,
    SettingsError,
    SiteRefused,
    SourceRefused,
    SystemRefused,
    UnknownUser,
    UnsafeDirectory,
    UpgradeFailed,
)


class Exit(IntEnum):
    """The exit code of a command."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    NOT_THERE = 3
    REFUSED = 4
    PORT = 5
    SYSTEM = 6
    LATE = 7
    BUSY = 8
    CHECK = 9
    BUG = 10
    INTERRUPTED = 130

    @property
    def meaning(self) -> str:
        return _MEANINGS[self]


_MEANINGS = {
    Exit.DONE: "success, or nothing to do",
    Exit.FAILED: "an Act or the Emperor fails, or a check found a problem",
    Exit.USAGE: "the command line is invalid",
    Exit.NOT_THERE: "no such Venue or Act",
    Exit.REFUSED: "a name, setting or file was refused",
    Exit.PORT: "the port is taken",
    Exit.SYSTEM: "the disk, a permission or the environment prevents it",
    Exit.LATE: "timed out; it may still succeed",
    Exit.BUSY: "another process held a lock for too long",
    Exit.CHECK: "new code failed when tried; the Act runs on as before",
    Exit.BUG: "an error in Backstage itself; please report it",
    Exit.INTERRUPTED: "interrupted by Ctrl-C",
}
# The first match counts.
_KINDS: tuple[tuple[type[BackstageError], Exit], ...] = (
    (NotInTime, Exit.LATE),
    (CheckFailed, Exit.CHECK),
    (NotAVenue, Exit.NOT_THERE),
    (NoSuchAct, Exit.NOT_THERE),
    (NameNotAllowed, Exit.REFUSED),
    (SettingsError, Exit.REFUSED),
    (PortUnavailable, Exit.PORT),
    (SystemRefused, Exit.SYSTEM),
    (UnsafeDirectory, Exit.SYSTEM),
    (EnvironmentFailed, Exit.SYSTEM),
    (UnknownUser, Exit.REFUSED),
    (SiteRefused, Exit.REFUSED),
    (ProjectRefused, Exit.REFUSED),
    (SourceRefused, Exit.REFUSED),
    (NotAllowed, Exit.SYSTEM),
    (ServiceFailed, Exit.SYSTEM),
    (Busy, Exit.BUSY),
)


def exit_of(error: BackstageError) -> Exit:
    """The exit code for an error; for a failed upgrade that of its cause."""
    if isinstance(error, UpgradeFailed):
        return exit_of(error.cause)
    return next((code for kind, code in _KINDS if isinstance(error, kind)), Exit.FAILED)
