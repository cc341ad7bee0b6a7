"""Errors as values, so that who asks gets the same error as the owner would."""

from __future__ import annotations

from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Any

from .. import errors
from ..errors import BackstageError, CheckFailed
from ..facts.advice import Advice


@dataclass(frozen=True, kw_only=True)
class Failure:
    """An error: its class, its message, and those of its attributes that are text or numbers."""

    kind: str
    message: str
    name: str | None = None
    reason: str | None = None
    log_tail: str | None = None
    why: str | None = None
    remedy: str | None = None
    path: str | None = None
    venue: str | None = None
    known: tuple[str, ...] | None = None
    advice: tuple[str, ...] | None = None
    line: int | None = None
    status: int | None = None

    @classmethod
    def of(cls, error: BackstageError) -> Failure:
        had: dict[str, Any] = {name: getattr(error, name, None) for name in _CARRIED}
        for name in _PATHS:
            had[name] = None if had[name] is None else str(had[name])
        had["advice"] = astuple(error.advice) if error.advice else None
        # What it advises, and the end of a log, come by themselves.
        return cls(kind=type(error).__name__, message=Exception.__str__(error), **had)

    @property
    def error(self) -> BackstageError:
        """The error again; the root of them all if there is none of this class."""
        kind = getattr(errors, self.kind) if self.kind in _KINDS else BackstageError
        error: BackstageError = kind.__new__(kind, self.message)
        for name in _NOT_CARRIED:
            setattr(error, name, None)
        for name in _CARRIED:
            value = getattr(self, name)
            is_file = name in _PATHS and value is not None and kind is not CheckFailed
            setattr(error, name, Path(value) if is_file else value)
        error.advice = Advice(*self.advice) if self.advice and len(self.advice) == 3 else None
        return error


# What a call of a member can end with; others cannot be told without what only they have.
_KINDS = frozenset(
    {
        *("ActFailed", "BackstageError", "Busy", "CannotWrite", "CheckFailed", "EmperorFailed"),
        *("NameNotAllowed", "NoSuchAct", "NotAllowed", "NotInTime", "PartLost", "PortUnavailable"),
        *("SettingsError", "SystemRefused", "UnsafeDirectory"),
    }
)
_NOT_CARRIED = ("port", "holder", "errno", "filename", "part")
_CARRIED = tuple(field.name for field in fields(Failure) if field.name not in {"kind", "message"})
# Of a CheckFailed, the path is that of a page.
_PATHS = frozenset({"path", "venue"})
