"""The file in which the watcher keeps which troubles people know of.

Nobody but the Venue's user can write there. A file that cannot be read counts as none.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from typing import Any

from ..facts import checked
from ..facts.notices import Failure, Kind, Memory, Notice, Trouble, Undelivered
from ..facts.states import State
from ..layout.paths import VenuePaths
from ..system import files

# In bytes; more than a thousand Acts in trouble need.
_LONGEST = 1_000_000


def read(venue_paths: VenuePaths) -> Memory:
    """What the last watcher knew."""
    try:
        with os.fdopen(files.open_regular(venue_paths.notices), "rb") as file:
            return _memory(json.loads(file.read(_LONGEST)))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return Memory()


def write(venue_paths: VenuePaths, memory: Memory) -> None:
    """Keep it. Raises OSError."""
    noted = {
        "troubles": {
            act: {**asdict(trouble), "state": str(trouble.state)}
            for act, trouble in memory.troubles.items()
        },
        "sent": memory.sent,
        "failures": [asdict(failure) for failure in memory.failures],
        "undelivered": [
            {**asdict(each), "notice": {**asdict(each.notice), "kind": str(each.notice.kind)}}
            for each in memory.undelivered
        ],
        "held": memory.held,
    }
    files.write_atomically(venue_paths.notices, json.dumps(noted), mode=0o600, sync=False)


def _memory(noted: dict[str, Any]) -> Memory:
    return Memory(
        troubles={act: _trouble(each) for act, each in noted["troubles"].items()},
        sent=tuple(checked.seconds(moment) for moment in noted["sent"]),
        failures=tuple(
            Failure(str(each["key"]), str(each["error"]), checked.seconds(each["at"]))
            for each in noted["failures"]
        ),
        undelivered=tuple(map(_undelivered, noted["undelivered"])),
        held=checked.seconds(noted["held"]),
    )


def _undelivered(noted: dict[str, Any]) -> Undelivered:
    notice = {**noted["notice"], "kind": Kind(noted["notice"]["kind"])}
    return Undelivered(Notice(**notice), tuple(map(str, noted["keys"])), int(noted["tried"]))


def _trouble(noted: dict[str, object]) -> Trouble:
    return Trouble(
        state=State(noted["state"]),
        reason=str(noted["reason"]),
        since=checked.seconds(noted["since"]),
        began=checked.seconds(noted["began"]),
        over=None if noted["over"] is None else checked.seconds(noted["over"]),
        told=noted["told"] is True,
    )
