"""The failed starts of an Act in a row, recorded in `run/`, so that any watcher counts on.

The Emperor's own count is of no use alone: it begins anew for all Acts when one is started.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace

from ..facts import checked
from ..facts.sightings import Penalty
from ..layout.paths import ActPaths
from ..system import files
from . import vassal_files
from .vassal_files import Version


@dataclass(frozen=True)
class Tries:
    """What is known of the failed starts with one version of the vassal file.

    `attempts` and `at` are those of the Emperor when it was last asked, `death` is the pid of the
    last worker that died while its master lived on. `gave_up` is the reason of the last failure,
    once the Act has been stopped for it.
    """

    version: Version | None
    count: int = 0
    attempts: int = 0
    at: float = 0.0
    death: int = 0
    gave_up: str = ""

    def with_penalty(self, penalty: Penalty) -> Tries:
        """With the failures that the Emperor has counted since."""
        if (penalty.attempts, penalty.last_attempt) == (self.attempts, self.at):
            return self
        went_on = penalty.attempts > self.attempts
        failed = penalty.attempts - (self.attempts if went_on else 0)
        return replace(
            self,
            count=self.count + failed,
            attempts=penalty.attempts,
            at=penalty.last_attempt,
        )

    def with_deaths(self, pids: list[int]) -> Tries:
        """With the deaths since: `pids` are the workers that died, in order."""
        new = pids[pids.index(self.death) + 1 :] if self.death in pids else pids
        return replace(self, count=self.count + len(new), death=new[-1] if new else self.death)

    def __str__(self) -> str:
        said = f": {self.gave_up}" if self.gave_up else ""
        return f"gave up after {self.count} tries{said}"


def recorded(act_paths: ActPaths) -> Tries | None:
    """The record; None without one, or if it cannot be read."""
    try:
        noted = json.loads(files.contents(act_paths.tries))
        version = noted["version"]
        return Tries(
            version=Version(**version) if version else None,
            count=checked.number(noted["count"]),
            attempts=checked.number(noted["attempts"]),
            at=checked.seconds(noted["at"]),
            death=checked.number(noted["death"]),
            gave_up=checked.text(noted["gave_up"]),
        )
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def so_far(act_paths: ActPaths) -> Tries:
    """The failures with the present vassal file: an edit, or a touch, begins anew."""
    present, known = vassal_files.version(act_paths), recorded(act_paths)
    return known if known and known.version == present else Tries(present)


def given_up(act_paths: ActPaths) -> str:
    """Why the Act was stopped after too many failures; '' if it was not."""
    known = recorded(act_paths)
    return str(known) if known and known.gave_up else ""


def record(act_paths: ActPaths, tries: Tries) -> None:
    files.write_atomically(act_paths.tries, json.dumps(asdict(tries)), mode=0o600)


def forget(act_paths: ActPaths) -> None:
    """Begin anew."""
    act_paths.tries.unlink(missing_ok=True)
