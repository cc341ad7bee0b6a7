"""What an examination finds: a fact, how much it matters, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Severity(Enum):
    """How much a finding matters, from the least to the most.

    `TROUBLE`: does not work, or is not safe. `WARNING`: may become trouble. `NOTE`: worth knowing.
    """

    OK = "ok"
    NOTE = "note"
    WARNING = "warning"
    TROUBLE = "trouble"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True)
class Remedy:
    """What the reader can do: in words, and as a shell command; either may be ''.

    If there are both, the words lead to the command, as `fix it, then`.
    """

    text: str = ""
    command: str = ""

    @property
    def lead(self) -> str:
        """The words, up to the command."""
        return f"{self.text} type:".lstrip() if self.command else self.text

    def __str__(self) -> str:
        return f"{self.lead} {self.command}".rstrip()


@dataclass(frozen=True)
class Finding:
    """The result of one check, good or bad.

    `subject` is the Act, file or program that it is about, `what` the fact in one line. `remedy` is
    None if nothing has to be done. `check` names the part of the examination.
    """

    severity: Severity
    subject: str
    what: str
    remedy: Remedy | None = None
    check: str = ""

    @property
    def command(self) -> str:
        """The command to type, or ''."""
        return self.remedy.command if self.remedy else ""

    @property
    def fields(self) -> dict[str, str]:
        """Every field as text, by name."""
        return {
            **{"severity": str(self.severity), "check": self.check, "subject": self.subject},
            **{"what": self.what, "remedy": str(self.remedy or ""), "command": self.command},
        }

    def __str__(self) -> str:
        told = f"{self.severity}: {self.subject}: {self.what}"
        return f"{told} ({self.remedy})" if self.remedy else told


def ok(subject: str, what: str) -> Finding:
    """Something is as it should be."""
    return Finding(Severity.OK, subject, what)


def note(subject: str, what: str, remedy: Remedy | None = None) -> Finding:
    """Something is worth knowing."""
    return Finding(Severity.NOTE, subject, what, remedy)


def warning(subject: str, what: str, remedy: Remedy | None) -> Finding:
    """Something may cause trouble."""
    return Finding(Severity.WARNING, subject, what, remedy)


def trouble(subject: str, what: str, remedy: Remedy | None) -> Finding:
    """Something does not work or is not safe."""
    return Finding(Severity.TROUBLE, subject, what, remedy)
