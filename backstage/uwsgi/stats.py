"""Read uWSGI's stats sockets, which send JSON to every client that connects."""

from __future__ import annotations

import json
import os
import select
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..facts.sightings import Penalty, Vassal
from ..system.deadlines import Deadline

# In bytes; most vassals' answers fit in one chunk.
_CHUNK = 262_144
# A longer answer, and one of more workers, is none: vassals can answer what they like.
_LONGEST = 16 * 1024**2
_MOST_WORKERS = 1000
_HIGHEST, _HIGHEST_PID = 2**53, 2**22


@dataclass(frozen=True)
class EmperorStats:
    """One report of the Emperor, by file name of the vassal (`blog.ini`)."""

    pid: int
    vassals: dict[str, Vassal]
    blacklist: dict[str, Penalty]


@dataclass(frozen=True)
class WorkerStats:
    """One worker of a vassal.

    `pid` is 0 if it is not running; `cheap` means that a request will start it. `latency` is the
    recent average response time in seconds.
    """

    pid: int
    accepting: bool
    threads: int
    busy: int
    cheap: bool
    requests: int
    respawns: int
    latency: float = 0.0


@dataclass(frozen=True)
class VassalStats:
    """One report of a vassal's master."""

    pid: int
    workers: tuple[WorkerStats, ...]


def read_emperor(path: Path, timeout: float = 5.0) -> EmperorStats | None:
    """Ask the Emperor, which then scans its directory once; None if none answers.

    The answer is composed before that scan: ask twice to see its effect.
    """
    document = _read([path], timeout).get(path)
    if document is None:
        return None
    return EmperorStats(
        pid=document["pid"],
        vassals={entry["id"]: _vassal(entry) for entry in document["vassals"]},
        blacklist={entry["id"]: _penalty(entry) for entry in document["blacklist"]},
    )


def read_vassals(paths: Iterable[Path], timeout: float) -> dict[Path, VassalStats]:
    """Ask the masters of vassals, all at once; this makes each of them check its workers.

    Masters that do not answer within `timeout` seconds are left out.
    """
    answers = _read(paths, timeout).items()
    told = {path: _vassal_stats(document) for path, document in answers}
    return {path: stats for path, stats in told.items() if stats}


def _vassal(entry: dict[str, Any]) -> Vassal:
    return Vassal(
        pid=entry["pid"],
        ready=bool(entry["ready"]),
        accepting=bool(entry["accepting"]),
        cursed=bool(entry["cursed"]),
        on_demand=bool(entry["on_demand"]),
        respawns=entry["respawns"],
        last_mod=entry["last_mod"],
        last_run=entry["last_run"],
        last_ready=entry["last_ready"],
        last_accepting=entry["last_accepting"],
    )


def _penalty(entry: dict[str, Any]) -> Penalty:
    # throttle_level is in milliseconds, last_attempt in seconds since the epoch; attempts count
    # from 0.
    return Penalty(
        attempts=entry["attempt"] + 1,
        retry_at=entry["last_attempt"] + entry["throttle_level"] / 1000,
        last_attempt=entry["last_attempt"],
    )


def _vassal_stats(document: dict[str, Any]) -> VassalStats | None:
    """What a master says of itself; None if it is not what uWSGI says."""
    try:
        workers = tuple(_worker(entry) for entry in document["workers"][:_MOST_WORKERS])
        return VassalStats(pid=_number(document["pid"], _HIGHEST_PID), workers=workers)
    except (KeyError, TypeError, ValueError):
        return None


def _number(value: Any, highest: int = _HIGHEST) -> int:
    if not isinstance(value, int) or not 0 <= value <= highest:
        raise ValueError("not a number of uWSGI")
    return value


def _worker(entry: dict[str, Any]) -> WorkerStats:
    cores = entry["cores"]
    return WorkerStats(
        pid=_number(entry["pid"], _HIGHEST_PID),
        accepting=bool(entry["accepting"]),
        threads=len(cores),
        busy=sum(_number(core["in_request"]) for core in cores),
        cheap=entry["status"] == "cheap",
        requests=_number(entry["requests"]),
        respawns=max(0, _number(entry["respawn_count"]) - 1),
        latency=_number(entry["avg_rt"]) / 1e6,
    )


def _read(paths: Iterable[Path], timeout: float) -> dict[Path, dict[str, Any]]:
    """The answers of several sockets, all connected to before the first is read."""
    said: dict[Path, dict[str, Any]] = {}
    asked: dict[int, tuple[Path, socket.socket, bytearray]] = {}
    # poll, because select fails in a process with more than a thousand open files.
    waiting = select.poll()
    _drop_the_late()
    try:
        for path in paths:
            if connection := _late.pop(path, None) or _connected(path):
                asked[connection.fileno()] = (path, connection, bytearray())
                waiting.register(connection, select.POLLIN)
        deadline = Deadline(timeout)
        while asked and (ready := waiting.poll(deadline.remaining * 1000)):
            for descriptor, _ in ready:
                path, connection, heard = asked[descriptor]
                if _hear(connection, heard):
                    waiting.unregister(descriptor)
                    del asked[descriptor]
                    connection.close()
                    document = _document(heard)
                    if isinstance(document, dict):
                        said[path] = document
    finally:
        for path, connection, heard in asked.values():
            _leave(path, connection, answered=bool(heard))
    return said


# Connections without an answer yet. If they were closed, uWSGI would log an error in the Act's log
# when it tries to answer; so the next call waits on them instead of connecting again.
_late: dict[Path, socket.socket] = {}


# A child process must not read its parent's connections.
os.register_at_fork(after_in_child=_late.clear)


def _leave(path: Path, connection: socket.socket, *, answered: bool) -> None:
    if answered or _late.setdefault(path, connection) is not connection:
        connection.close()


def _drop_the_late() -> None:
    """Close connections whose answer has arrived by now: it is older than the next call."""
    for path in list(_late):
        # Another thread may have taken it.
        if connection := _late.pop(path, None):
            answered = select.poll()
            answered.register(connection, select.POLLIN)
            _leave(path, connection, answered=bool(answered.poll(0)))


def _connected(path: Path) -> socket.socket | None:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.setblocking(False)
    try:
        connection.connect(str(path))
    except OSError:
        # Nobody listens, the queue is full, or the path cannot be a socket's.
        connection.close()
        return None
    return connection


def _hear(connection: socket.socket, heard: bytearray) -> bool:
    """Read what has arrived; return whether that was the end."""
    try:
        chunk = connection.recv(_CHUNK)
    except OSError:
        # The connection broke in the middle of an answer.
        return True
    heard += chunk
    return not chunk or len(heard) > _LONGEST


def _document(heard: bytearray) -> Any:
    try:
        # Decoded here: given bytes, loads() detects the encoding first, which takes as long again.
        return json.loads(heard.decode())
    except (ValueError, RecursionError):
        return None
