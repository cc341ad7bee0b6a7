"""What was fetched."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Fetched:
    """The code that lies in a directory now.

    `what` says it in a few words. `commit` is '' for what is in no repository; `is_dirty` tells
    that the code differs from that commit. `notes` are sentences about what was left out or kept.
    """

    what: str
    commit: str = ""
    is_dirty: bool = False
    notes: tuple[str, ...] = ()
