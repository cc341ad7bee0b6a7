"""The releases of an adopted project: one directory each, with the record of how it was made.

The record is written first and last, so that what a killed call has left behind is known as such.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass, replace
from enum import Enum
from pathlib import Path

from ..system.files import contents, write_atomically
from .paths import ActPaths

_RECORD = "release.json"


class Outcome(Enum):
    """What became of a release."""

    BUILDING = "building"
    FAILED = "failed"
    READY = "ready"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, kw_only=True)
class Release:
    """One release of an Act.

    `source` and `ref` are what was asked for, `commit` what that was, '' for what is in no
    repository; `is_dirty` tells that the code differs from it. `at` is when it was begun, in
    seconds since the epoch, `by` the user who did. `reason` says why it failed. `seconds` are the
    times of its steps, `options` those of the vassal file that run it, and `migrated` the databases
    whose migrations it applied. `is_withdrawn` tells that somebody has gone back from it.
    """

    directory: Path
    source: str
    ref: str = ""
    commit: str = ""
    is_dirty: bool = False
    at: float = 0.0
    by: str = ""
    outcome: Outcome = Outcome.BUILDING
    reason: str = ""
    seconds: tuple[tuple[str, float], ...] = ()
    options: tuple[tuple[str, str], ...] = ()
    migrated: tuple[str, ...] = ()
    is_withdrawn: bool = False

    @property
    def id(self) -> str:
        """Its name, by which it is asked for."""
        return self.directory.name

    @property
    def code(self) -> Path:
        return self.directory / "code"

    @property
    def env(self) -> Path:
        """The virtual environment of a project that declares what it needs; others have none."""
        return self.directory / "env"

    @property
    def former_env(self) -> Path:
        """The Act's .env as it was when this release was live last."""
        return self.directory / "former.env"

    def write(self) -> Release:
        """Write the record, and return the release."""
        facts = {key: value for key, value in asdict(self).items() if key != "directory"}
        self.directory.mkdir(mode=0o755, parents=True, exist_ok=True)
        text = json.dumps({**facts, "outcome": str(self.outcome)})
        write_atomically(self.directory / _RECORD, text, mode=0o600)
        return self

    def ended(self, outcome: Outcome, reason: str = "") -> Release:
        return replace(self, outcome=outcome, reason=reason).write()


def begin(act_paths: ActPaths, source: str, ref: str, by: str) -> Release:
    """A new release, with its record."""
    now = time.time()
    name = time.strftime("%Y%m%d-%H%M%S", time.localtime(now))
    numbers = ("", *(f"-{number}" for number in range(2, 1000)))
    free = (act_paths.releases / f"{name}{number}" for number in numbers)
    directory = next(path for path in free if not path.exists())
    return Release(directory=directory, source=source, ref=ref, at=now, by=by).write()


def known(act_paths: ActPaths) -> list[Release]:
    """Every release, the oldest first."""
    directories = sorted(path for path in act_paths.releases.glob("[!.]*") if path.is_dir())
    return [each for path in directories if (each := _read(path))]


def _read(directory: Path) -> Release | None:
    try:
        facts = json.loads(contents(directory / _RECORD))
        seconds = tuple((str(name), float(took)) for name, took in facts.pop("seconds"))
        options = tuple((str(key), str(value)) for key, value in facts.pop("options"))
        facts["migrated"] = tuple(map(str, facts["migrated"]))
        outcome = Outcome(facts.pop("outcome"))
        return Release(
            directory=directory, seconds=seconds, options=options, outcome=outcome, **facts
        )
    except (OSError, ValueError, TypeError, KeyError):
        return None
