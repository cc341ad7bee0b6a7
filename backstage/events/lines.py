"""The form of an event in `log/events.jsonl`: a JSON object on a line, as the docs describe it."""

from __future__ import annotations

import json
from dataclasses import replace

from ..facts import checked
from ..facts.states import State
from .event import Event

VERSION = 1
# A longer line is not written, and not read, in bytes.
LONGEST = 4000
# A longer reason is cut, in characters.
_MOST_WORDS = 600


def fields(event: Event) -> dict[str, object]:
    """Every field of an event by name, as a program gets it."""
    return {
        "act": event.act,
        "before": str(event.before),
        "after": str(event.after),
        "at": event.at,
        "reason": event.reason,
        "pid": event.pid,
        "unwatched_since": event.unwatched_since,
        "by": event.by,
    }


def line_of(event: Event) -> bytes:
    """The line of an event, without its end."""
    if len(event.reason) > _MOST_WORDS:
        event = replace(event, reason=f"{event.reason[: _MOST_WORDS - 1]}…")
    noted = {"version": VERSION, **fields(event)}
    line = json.dumps(noted, ensure_ascii=False).encode(errors="replace")
    # A name or a reason of control characters takes six bytes for each.
    return line if len(line) <= LONGEST else line_of(replace(event, reason=""))


def event_of(line: str) -> Event | None:
    """The event of a line; None if it is half a line, of another version, or something else."""
    if len(line) > LONGEST:
        return None
    try:
        noted = json.loads(line)
        if noted["version"] != VERSION:
            return None
        return Event(
            act=checked.text(noted["act"]),
            before=State(noted["before"]),
            after=State(noted["after"]),
            at=checked.seconds(noted["at"]),
            reason=checked.text(noted["reason"]),
            pid=None if noted["pid"] is None else checked.number(noted["pid"]),
            unwatched_since=None
            if noted["unwatched_since"] is None
            else checked.seconds(noted["unwatched_since"]),
            by=checked.text(noted.get("by", "")),
        )
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
