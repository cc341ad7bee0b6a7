"""What can go wrong, in a few classes that carry their data; every one of them is public."""

from __future__ import annotations

import errno
from pathlib import Path

__all__ = [
    "ActFailed",
    "BackstageError",
    "Busy",
    "CannotWrite",
    "EditRefused",
    "EmperorFailed",
    "EnvironmentFailed",
    "NameNotAllowed",
    "NoSuchAct",
    "NotAVenue",
    "NotAllowed",
    "NotInTime",
    "PortUnavailable",
    "ServiceFailed",
    "SettingsError",
    "SiteRefused",
    "UnknownUser",
    "UnsafeDirectory",
]


class BackstageError(Exception):
    """Root of every error this library raises on purpose.

    The message says what happened, with which value, and what to do or type next.
    """


class NameNotAllowed(BackstageError):
    """Raised when a Venue or an Act cannot have this name."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f"{name!r} cannot be used as a name: {why}")
        self.name = name
        self.why = why


class NotAVenue(BackstageError):
    """Raised when a path was expected to be a Venue, or free to become one, and is not."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"{path} {why}")
        self.path = path
        self.why = why


class NoSuchAct(BackstageError):
    """Raised when a Venue has no Act of this name; names the one that was probably meant."""

    def __init__(self, name: str, venue: Path, known: tuple[str, ...]) -> None:
        from difflib import get_close_matches

        acts = ", ".join(known) if known else "none yet"
        meant = get_close_matches(name, known, n=1)
        hint = f"did you mean {meant[0]!r}?" if meant else f"its Acts: {acts}"
        super().__init__(f"no Act {name!r} in {venue}; {hint}")
        self.name = name
        self.venue = venue
        self.known = known


class SettingsError(BackstageError):
    """Raised when venue.yaml, a vassal file or a .env holds something that cannot be meant."""

    def __init__(self, path: Path, line: int | None, why: str) -> None:
        where = f"{path}, line {line}" if line else str(path)
        super().__init__(f"{where}: {why}")
        self.path = path
        self.line = line
        self.why = why


class EditRefused(SettingsError):
    """Raised when a new text for a vassal file is not used; nothing has been changed then.

    `path` and `line` tell where it is at fault: there, or in a file that it includes.
    """


class UnknownUser(BackstageError):
    """Raised when there is no user of this name on the system."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"there is no user {name!r} here; to make one that only runs services, type: "
            f"adduser --system --group --home /srv/{name} {name}"
        )
        self.name = name


class NotAllowed(BackstageError):
    """Raised when only root, or another user, may do this; the message says what to type."""


class ServiceFailed(BackstageError):
    """Raised when systemd cannot do what it was asked; `output` is what it said."""

    def __init__(self, message: str, output: str = "") -> None:
        super().__init__(f"{message}\n{output.strip()}" if output.strip() else message)
        self.output = output


class SiteRefused(BackstageError):
    """Raised when nginx cannot serve a site as it was asked to; nothing has been changed then."""

    def __init__(self, message: str, output: str = "") -> None:
        super().__init__(f"{message}\n{output.strip()}" if output.strip() else message)
        self.output = output


class EnvironmentFailed(BackstageError):
    """Raised when a virtual environment cannot be built or filled; `output` is the tool's own."""

    def __init__(self, message: str, output: str = "") -> None:
        tail = "\n".join(output.strip().splitlines()[-12:])
        super().__init__(f"{message}\n{tail}" if tail else message)
        self.output = output


class PortUnavailable(BackstageError):
    """Raised when a port cannot be given to an Act; `holder` names who has it, where known."""

    def __init__(self, message: str, port: int | None = None, holder: str | None = None) -> None:
        super().__init__(message)
        self.port = port
        self.holder = holder


class UnsafeDirectory(BackstageError):
    """Raised when others could write where uWSGI takes its orders from."""

    def __init__(self, path: Path, why: str, remedy: str) -> None:
        super().__init__(
            f"{path} {why}. Whoever can write there can run code as you. Type: {remedy}"
        )
        self.path = path
        self.why = why
        self.remedy = remedy


class CannotWrite(BackstageError):
    """Raised when the disk or its permissions stand in the way; `errno` is the system's."""

    def __init__(self, action: str, error: OSError) -> None:
        where = f" at {error.filename}" if error.filename else ""
        super().__init__(f"{action}: {error.strerror}{where}. {_remedy(error)}")
        self.errno = error.errno
        self.filename = error.filename


class EmperorFailed(BackstageError):
    """Raised when the Emperor does not start or does not end; `log_tail` is what it said last."""

    def __init__(self, message: str, log_tail: str = "") -> None:
        super().__init__(f"{message}\n{log_tail}" if log_tail else message)
        self.log_tail = log_tail


class ActFailed(BackstageError):
    """Raised when an Act does not get where it was sent, with the reason and its last log lines."""

    def __init__(self, name: str, message: str, reason: str = "", log_tail: str = "") -> None:
        head = f"Act {name!r} {message}" + (f": {reason}" if reason else "")
        super().__init__(f"{head}\n{log_tail}" if log_tail else head)
        self.name = name
        self.reason = reason
        self.log_tail = log_tail


class NotInTime(ActFailed):
    """Raised when a wait ended before the Act was there; it may still get there later."""


class Busy(BackstageError):
    """Raised when another process holds a lock longer than a caller can wait."""


def _remedy(error: OSError) -> str:
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return "Free some space there (see: df -h) and call again"
    if error.errno == errno.EROFS:
        return "That file system is mounted read-only; choose another place"
    return "Check with `ls -ld` who owns it, or choose another place"
