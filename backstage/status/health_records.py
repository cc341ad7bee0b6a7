"""The file in run/ that records what an Act's health check said last.

The Act can write there too, so nothing in the file is trusted further than it can mislead about
that Act alone.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace

from ..facts import checked
from ..facts.health import Generation, HealthRecord
from ..layout.paths import ActPaths
from ..system import files, processes
from .wording import one_line

# In bytes; a record of a hundred workers is shorter.
_LONGEST = 65_536


def read(act_paths: ActPaths, now: Generation) -> HealthRecord | None:
    """What the Act said last; None if it has loaded its files since.

    Unless the record's generation lasts, the processes of the generation `now` were not asked yet.
    """
    try:
        record = _record(json.loads(files.read_regular(act_paths.health, _LONGEST)[0]))
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    is_past = record.at <= processes.boot_clock()
    return record if is_past and record.generation.counts_on(now) else None


def write(act_paths: ActPaths, record: HealthRecord, before: HealthRecord | None = None) -> None:
    """Record what an Act said; who cannot write in run/ records nothing.

    If it has said the same before, those who watch the Venue are not told.
    """
    noted = {
        "master": record.generation.master,
        "respawns": record.generation.respawns,
        "loaded": record.generation.loaded,
        "workers": sorted(record.generation.workers),
        "at": record.at,
        "since": record.since,
        "ok": record.ok,
        "why": record.why,
        "asked": record.asked,
    }
    content = json.dumps(noted).encode()
    if before and before == replace(record, at=before.at, asked=before.asked):
        with suppress(OSError):
            files.overwrite(act_paths.health, content)
            return
    with suppress(OSError):
        files.write_atomically(act_paths.health, content, mode=0o600, sync=False)


def _record(noted: dict[str, object]) -> HealthRecord:
    workers = noted["workers"]
    if not isinstance(workers, list) or not isinstance(noted["ok"], bool):
        raise TypeError("no record")
    return HealthRecord(
        generation=Generation(
            master=checked.text(noted["master"]),
            respawns=checked.number(noted["respawns"]),
            loaded=checked.number(noted["loaded"]),
            workers=frozenset(map(checked.text, workers)),
        ),
        at=checked.seconds(noted["at"]),
        since=checked.seconds(noted["since"]),
        ok=noted["ok"],
        why=one_line(checked.text(noted["why"])),
        asked=checked.number(noted["asked"]),
    )
