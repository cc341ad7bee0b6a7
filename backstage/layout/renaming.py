"""The record of an Act that is being renamed: it is there until that is done."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict, dataclass

from ..system.files import contents, write_atomically
from .names import is_act_name
from .paths import VenuePaths


@dataclass(frozen=True)
class Renaming:
    """Which Act gets which name; `wanted` tells whether it was to run.

    `text` is its vassal file as it was.
    """

    before: str
    after: str
    wanted: bool
    text: str

    def write(self, venue_paths: VenuePaths) -> None:
        """Write the record."""
        write_atomically(venue_paths.renaming, json.dumps(asdict(self)), mode=0o600)


def read(venue_paths: VenuePaths) -> Renaming | None:
    """The renaming that is under way, or was killed."""
    with suppress(OSError, ValueError, TypeError):
        found = Renaming(**json.loads(contents(venue_paths.renaming)))
        return found if is_act_name(found.before) and is_act_name(found.after) else None
    return None


def remove(venue_paths: VenuePaths) -> None:
    """Forget it: it is done, or undone."""
    venue_paths.renaming.unlink(missing_ok=True)
