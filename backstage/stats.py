"""What uWSGI's stats sockets say: JSON, sent to whoever connects."""

from __future__ import annotations

import json
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .states import Penalty, Vassal


@dataclass(frozen=True)
class EmperorStats:
    """One answer of the Emperor, by file name of the vassal (`blog.ini`)."""

    pid: int
    vassals: dict[str, Vassal]
    blacklist: dict[str, Penalty]


@dataclass(frozen=True)
class WorkerStats:
    """One worker of a vassal; `pid` is 0 where it is not running."""

    pid: int
    accepting: bool


def read_emperor(path: Path, timeout: float = 5.0) -> EmperorStats | None:
    """Ask the Emperor, which then looks at its directory once; None where none answers.

    The answer was composed before that look: ask twice to see its effect.
    """
    document = _read(path, timeout)
    if document is None:
        return None
    return EmperorStats(
        pid=document["pid"],
        vassals={entry["id"]: _vassal(entry) for entry in document["vassals"]},
        blacklist={entry["id"]: _penalty(entry) for entry in document["blacklist"]},
    )


def read_workers(path: Path, timeout: float = 2.0) -> list[WorkerStats] | None:
    """Ask a vassal's master for its workers, which makes it tend to them; None for no answer."""
    document = _read(path, timeout)
    if document is None:
        return None
    return [WorkerStats(entry["pid"], bool(entry["accepting"])) for entry in document["workers"]]


def _vassal(entry: dict[str, Any]) -> Vassal:
    return Vassal(
        pid=entry["pid"],
        ready=bool(entry["ready"]),
        accepting=bool(entry["accepting"]),
        cursed=bool(entry["cursed"]),
        on_demand=bool(entry["on_demand"]),
        respawns=entry["respawns"],
    )


def _penalty(entry: dict[str, Any]) -> Penalty:
    # throttle_level is in milliseconds, last_attempt in seconds since the epoch.
    return Penalty(
        attempts=entry["attempt"],
        retry_at=entry["last_attempt"] + entry["throttle_level"] / 1000,
    )


def _read(path: Path, timeout: float) -> dict[str, Any] | None:
    chunks = []
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(timeout)
            connection.connect(str(path))
            while chunk := connection.recv(65536):
                chunks.append(chunk)
        document = json.loads(b"".join(chunks))
    except (OSError, ValueError):
        # Nobody there, or gone in the middle of a sentence.
        return None
    return document if isinstance(document, dict) else None
