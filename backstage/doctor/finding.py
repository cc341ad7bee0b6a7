"""What an examination finds: a fact, how much it matters, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

_TYPE = "type: "


class Severity(Enum):
    """How much a finding matters, from the least to the most.

    `TROUBLE` does not work or is not safe, a `WARNING` may become so, a `NOTE` is worth knowing.
    """

    OK = "ok"
    NOTE = "note"
    WARNING = "warning"
    TROUBLE = "trouble"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at, in order or not.

    `subject` is the Act, file or program that it is about, `what` the fact in one line, `remedy`
    what the reader can do, '' where nothing has to be done. What is to be typed stands behind the
    word `type:` at its end. `check` names the part of the examination.
    """

    severity: Severity
    subject: str
    what: str
    remedy: str = ""
    check: str = ""

    @property
    def command(self) -> str:
        """What to type, if that helps."""
        return self.remedy.partition(_TYPE)[2]

    def __str__(self) -> str:
        told = f"{self.severity}: {self.subject}: {self.what}"
        return f"{told} ({self.remedy})" if self.remedy else told


def ok(subject: str, what: str) -> Finding:
    """Something is as it should be."""
    return Finding(Severity.OK, subject, what)


def note(subject: str, what: str, remedy: str = "") -> Finding:
    """Something is worth knowing."""
    return Finding(Severity.NOTE, subject, what, remedy)


def warning(subject: str, what: str, remedy: str) -> Finding:
    """Something may become trouble."""
    return Finding(Severity.WARNING, subject, what, remedy)


def trouble(subject: str, what: str, remedy: str) -> Finding:
    """Something does not work or is not safe."""
    return Finding(Severity.TROUBLE, subject, what, remedy)
