"""The file in which the watcher counts the restarts and the time down of an Act.

Nobody but the Venue's user can write there. A file that cannot be read counts as none.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress

from ..facts import checked
from ..facts.past import Tally
from ..facts.states import State
from ..layout.paths import ActPaths, VenuePaths
from ..system import files

# In bytes; a day has a hundred steps.
_LONGEST = 65_536


def read(act_paths: ActPaths) -> Tally | None:
    """The tally of an Act; None if no watcher has ever seen it."""
    try:
        return _tally(json.loads(files.read_regular(act_paths.past, _LONGEST)[0]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def write(act_paths: ActPaths, tally: Tally) -> None:
    """Keep a tally. Raises OSError."""
    noted = {
        "since": tally.since,
        "counted": tally.counted,
        "state": str(tally.state),
        "pid": tally.pid,
        "running": tally.running,
        "restarts": tally.restarts,
        "steps": {step: (count, round(down, 3)) for step, (count, down) in tally.steps.items()},
    }
    files.write_atomically(act_paths.past, json.dumps(noted), mode=0o600, sync=False)


def names(venue_paths: VenuePaths) -> Iterator[str]:
    """The Acts that have a tally."""
    with suppress(OSError):
        for path in sorted(venue_paths.past.glob("*.json")):
            yield path.stem


def _tally(noted: dict[str, object]) -> Tally:
    steps = noted["steps"]
    if not isinstance(steps, dict):
        raise TypeError("no tally")
    pid = noted["pid"]
    return Tally(
        since=checked.seconds(noted["since"]),
        counted=checked.seconds(noted["counted"]),
        state=State(noted["state"]),
        pid=None if pid is None else checked.number(pid),
        running=noted["running"] is True,
        restarts=checked.number(noted["restarts"]),
        steps={
            checked.number(int(step)): (checked.number(count), checked.seconds(down))
            for step, (count, down) in steps.items()
        },
    )
