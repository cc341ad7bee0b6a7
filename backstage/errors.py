"""The public exceptions; each carries the data behind its message."""

from __future__ import annotations

import errno
from pathlib import Path

from .facts.advice import Advice, make_act
from .facts.command_line import join, quote

__all__ = [
    "ActFailed",
    "BackstageError",
    "Busy",
    "CannotWrite",
    "CheckFailed",
    "EditRefused",
    "EmperorFailed",
    "EnvironmentFailed",
    "NameNotAllowed",
    "NoSuchAct",
    "NotAVenue",
    "NotAllowed",
    "NotInTime",
    "NotYours",
    "PartLost",
    "PortUnavailable",
    "ProjectRefused",
    "ServiceFailed",
    "SettingsError",
    "SiteRefused",
    "SourceRefused",
    "SystemRefused",
    "UnknownUser",
    "UnsafeDirectory",
    "UpgradeFailed",
    "VenueMoved",
]


class BackstageError(Exception):
    """Root of every error this library raises on purpose.

    The message says what happened, with which value, and what to do or type next. `advice` is what
    differs between Python and a shell.
    """

    advice: Advice | None = None

    def __str__(self) -> str:
        told = super().__str__()
        return f"{told}; {self.advice.in_python}" if self.advice else told

    @property
    def at_shell(self) -> str:
        """The message for somebody at a shell: with the command to type, not the call."""
        told = super().__str__()
        return f"{told}; {self.advice.at_shell}" if self.advice else told


class NameNotAllowed(BackstageError):
    """Raised when a Venue or an Act cannot have this name."""

    def __init__(self, name: str, why: str, advice: Advice | None = None) -> None:
        super().__init__(f"{name!r} cannot be used as a name: {why}")
        self.name = name
        self.why = why
        self.advice = advice


class NotAVenue(BackstageError):
    """Raised when a path is not a Venue, or cannot become one."""

    def __init__(self, path: Path, why: str, advice: Advice | None = None) -> None:
        super().__init__(f"{path} {why}")
        self.path = path
        self.why = why
        self.advice = advice


class VenueMoved(NotAVenue):
    """Raised when a Venue was moved or copied, before anything in it is run.

    `path` is where it is, `made_at` the path that its programs and files name. `is_copy` tells
    whether the Venue that it was copied from is still there.
    """

    def __init__(self, path: Path, made_at: Path, *, is_copy: bool) -> None:
        what = f"is a copy of {made_at}" if is_copy else f"was moved from {made_at}"
        would = "would run" if is_copy else "would look for"
        command = join(["backstage", "--venue", str(path), "relocate"])
        super().__init__(
            path,
            f"{what}: its programs and files still name that path, and {would} what is there. "
            f"Type: {command}",
        )
        self.made_at = made_at
        self.is_copy = is_copy


class NoSuchAct(BackstageError):
    """Raised when a Venue has no Act of this name; the message suggests a similar one."""

    def __init__(self, name: str, venue: Path, known: tuple[str, ...]) -> None:
        from difflib import get_close_matches

        alike = {each.lower(): each for each in known}
        meant = [alike[each] for each in get_close_matches(name.lower(), alike, n=1)]
        hint = f"did you mean {meant[0]!r}?" if meant else f"its Acts: {', '.join(known)}"
        super().__init__(f"no Act {name!r} in {venue}" + (f"; {hint}" if known else ""))
        self.advice = None if known else make_act(venue, name, "to make it")
        self.name = name
        self.venue = venue
        self.known = known


class SettingsError(BackstageError):
    """Raised when venue.yaml, a vassal file or a .env contains something invalid."""

    def __init__(self, path: Path, line: int | None, why: str) -> None:
        where = f"{path}, line {line}" if line else str(path)
        super().__init__(f"{where}: {why}")
        self.path = path
        self.line = line
        self.why = why


class EditRefused(SettingsError):
    """Raised when a new text for a vassal file is rejected; nothing has been changed.

    `path` and `line` locate the fault, in the vassal file or in a file that it includes.
    """


class UnknownUser(BackstageError):
    """Raised when there is no user of this name on the system."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"there is no user {name!r} on this system; to create one for services, type: "
            f"adduser --system --group --home {quote(f'/srv/{name}')} {quote(name)}"
        )
        self.name = name


class NotAllowed(BackstageError):
    """Raised when this needs root or another user; the message says what to type."""


class NotYours(NotAllowed):
    """Raised when this user may not use a Venue, because it belongs to another one, `owner`.

    `program` is what to type for `backstage` behind `sudo`.
    """

    def __init__(
        self, venue: Path, owner: str, user: str, *words: str, program: str = "backstage"
    ) -> None:
        command = join(["sudo", "-u", owner, program, "--venue", str(venue), *words])
        typed = command if words else f"{command} …"
        super().__init__(
            f"{venue} belongs to {owner}, and only {owner} can do that; you are {user}. "
            f"Type: {typed}"
        )
        self.venue = venue
        self.owner = owner
        self.user = user
        self.program = program


class ServiceFailed(BackstageError):
    """Raised when systemd rejects a request or fails; `output` is what it printed."""

    def __init__(self, message: str, output: str = "") -> None:
        super().__init__(f"{message}\n{output.strip()}" if output.strip() else message)
        self.output = output


class SiteRefused(BackstageError):
    """Raised when nginx cannot serve a site as requested; nothing has been changed."""

    def __init__(self, message: str, output: str = "") -> None:
        super().__init__(f"{message}\n{output.strip()}" if output.strip() else message)
        self.output = output


class SourceRefused(BackstageError):
    """Raised when the source of an Act cannot be used; nothing of it was left behind.

    `source` is what was typed, without a password; `output` is what git printed.
    """

    def __init__(self, source: str, why: str, output: str = "") -> None:
        tail = "\n".join(output.strip().splitlines()[-12:])
        told = f"cannot use {source!r} as a source: {why}"
        super().__init__(f"{told}\n{tail}" if tail else told)
        self.source = source
        self.why = why
        self.output = output


class ProjectRefused(BackstageError):
    """Raised when a directory does not tell which project it holds; nothing of it was run.

    `what` is what is looked for, and `found` are the files that could be meant; `option` tells.
    """

    def __init__(
        self, top: Path, what: str, found: tuple[str, ...], option: str, *, is_there: bool = True
    ) -> None:
        listed = " and ".join(found)
        why = f"has several of {what} equally deep: {listed}" if is_there else f"has no {what}"
        typed = f". Type: {option} {quote(found[0])}" if found else ""
        super().__init__(f"{top} {why}{typed}")
        self.top = top
        self.what = what
        self.found = found
        self.option = option


class EnvironmentFailed(BackstageError):
    """Raised when a virtual environment cannot be built or filled; `output` is from the tool."""

    def __init__(self, message: str, output: str = "") -> None:
        tail = "\n".join(output.strip().splitlines()[-12:])
        super().__init__(f"{message}\n{tail}" if tail else message)
        self.output = output


class PortUnavailable(BackstageError):
    """Raised when an Act cannot have a port; `holder` names the program that has it, if known."""

    def __init__(
        self,
        message: str,
        port: int | None = None,
        holder: str | None = None,
        *,
        advice: Advice | None = None,
    ) -> None:
        super().__init__(message)
        self.port = port
        self.holder = holder
        self.advice = advice


class UnsafeDirectory(BackstageError):
    """Raised when other users can write where uWSGI reads its configuration."""

    def __init__(self, path: Path, why: str, remedy: str) -> None:
        super().__init__(
            f"{path} {why}. Anyone who can write there can run code as you. Type: {remedy}"
        )
        self.path = path
        self.why = why
        self.remedy = remedy


class SystemRefused(BackstageError):
    """Raised when the operating system refuses what a call needs; `errno` is the system's.

    `filename` is the file that it was about, if it was about one.
    """

    def __init__(self, action: str, error: OSError, remedy: str = "") -> None:
        where = f" at {error.filename}" if error.filename else ""
        what = f"{error.strerror or error}{where}"
        head = f"{action}: {what}" if action else what
        super().__init__(f"{head}. {remedy or _remedy(error)}")
        self.errno = error.errno
        self.filename = error.filename


class CannotWrite(SystemRefused):
    """Raised when the disk or its permissions prevent a change."""


class EmperorFailed(BackstageError):
    """Raised when the Emperor does not start or stop; `log_tail` is the end of its log."""

    def __init__(self, message: str, log_tail: str = "") -> None:
        super().__init__(f"{message}\n{log_tail}" if log_tail else message)
        self.log_tail = log_tail


class ActFailed(BackstageError):
    """Raised when an Act does not reach the requested state; the message ends with its log.

    `log` is the file that has more of it, if the Act itself is gone.
    """

    log: Path | None = None

    def __init__(
        self,
        name: str,
        message: str,
        reason: str = "",
        log_tail: str = "",
        *,
        advice: Advice | None = None,
    ) -> None:
        super().__init__(f"Act {name!r} {message}" + (f": {reason}" if reason else ""))
        self.name = name
        self.reason = reason
        self.log_tail = log_tail
        self.advice = advice

    def __str__(self) -> str:
        told = super().__str__()
        return f"{told}\n{self.log_tail}" if self.log_tail else told


class CheckFailed(ActFailed):
    """Raised when new code fails when it is tried before a restart; the Act runs on as before.

    `path` is the page that was not answered well, and `status` its HTTP status; they are '' and
    None if the application does not load. `log_tail` is the end of what it printed.
    """

    def __init__(
        self, name: str, reason: str, *, path: str = "", status: int | None = None, output: str = ""
    ) -> None:
        message = "is not restarted and runs on as before, because its new code fails"
        super().__init__(name, message, reason, output)
        self.path = path
        self.status = status


class PartLost(BackstageError):
    """Raised when somebody has removed what is needed, such as `vassals/`; nothing was done.

    `part` is relative to the Venue; the message has the command that makes it again.
    """

    def __init__(self, venue: Path, part: str, told: str) -> None:
        super().__init__(told)
        self.venue = venue
        self.part = part


class NotInTime(ActFailed):
    """Raised when a wait timed out; the Act may still reach the state later."""


class UpgradeFailed(BackstageError):
    """Raised when an upgrade fails; everything has been undone.

    `cause` is the error; `left` says what could not be undone, one line each.
    """

    def __init__(self, venue: Path, cause: BackstageError, left: tuple[str, ...] = ()) -> None:
        self.venue = venue
        self.cause = cause
        self.left = left
        super().__init__(self._told(str(cause)))

    @property
    def at_shell(self) -> str:
        return self._told(self.cause.at_shell)

    def _told(self, cause: str) -> str:
        undone = "but not everything could be undone" if self.left else "everything is as before"
        return "\n".join([f"{self.venue} is not upgraded, {undone}: {cause}", *self.left])


class Busy(BackstageError):
    """Raised when another process holds a lock for longer than the caller can wait."""


# What to do about an error of the system that has nothing to do with whose a file is.
_REMEDIES = {
    **dict.fromkeys(
        (errno.ENOSPC, errno.EDQUOT),
        "Free some space there (see: df -h), then try again",
    ),
    errno.EFBIG: "No file of that size is read or written here (see: ulimit -f)",
    errno.EROFS: "That file system is mounted read-only; choose another directory",
    errno.EMFILE: "Allow this process more open files (see: ulimit -n), then try again",
    errno.ENFILE: "All programs of this machine together have too many files open; end some",
    errno.EAGAIN: "Allow this user more processes (see: ulimit -u), or end some",
    errno.ENOMEM: "Free some memory (see: free -m), then try again",
    errno.ENAMETOOLONG: "Use a shorter path",
}


def _remedy(error: OSError) -> str:
    known = _REMEDIES.get(error.errno or 0)
    if known:
        return known
    if error.filename:
        look = join(["ls", "-ld", str(error.filename)])
        return f"Check what is there and whose it is with `{look}`, or choose another directory"
    return "Check its owner with `ls -ld`, or choose another directory"
