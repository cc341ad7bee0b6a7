"""Read uWSGI's stats sockets, which send JSON to every client that connects.

A vassal's socket can say anything: the Act may have put its own in the place. So each answer is
checked, field by field, and one that no uWSGI gives is odd, and tells nothing else.
"""

from __future__ import annotations

import json
import os
import re
import select
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..facts.sightings import Penalty, Vassal
from ..system.deadlines import Deadline

# In bytes; most vassals' answers fit in one chunk.
_CHUNK = 262_144
# A thousand threads, each with the headers of its request, need less; reading more takes memory.
_LONGEST = 4 * 1024**2
# What has begun to arrive in time is read, but not forever if more and more follows, in seconds.
_READING = 0.25
_MOST_WORKERS, _MOST_THREADS = 1000, 10_000
_HIGHEST, _HIGHEST_PID = 2**53, 2**22
# After this, in seconds since the epoch, Python has no dates.
_LAST_SECOND = 2**37
# uWSGI escapes nothing in the name of a vassal's file.
_NAME = re.compile(rb'"id":"(.*?)"(,\s+"(?:pid|throttle_level)":)', re.DOTALL)
_KINDS = {
    dict: "an object",
    list: "a list",
    str: "text",
    bool: "true or false",
    float: "a fraction",
}


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


@dataclass(frozen=True)
class Heard:
    """What the masters of vassals said, by socket; `odd` tells why an answer is none of uWSGI's."""

    stats: Mapping[Path, VassalStats]
    odd: Mapping[Path, str]


class Odd(ValueError):
    """An answer that no uWSGI gives; says what is wrong with it."""


def read_emperor(path: Path, timeout: float = 5.0) -> EmperorStats | None:
    """Ask the Emperor, which then scans its directory once; None if none answers.

    The answer is composed before that scan: ask twice to see its effect.
    """
    said = _read([path], timeout).get(path)
    try:
        return emperor_stats(said) if said is not None else None
    except Odd:
        return None


def read_vassals(paths: Iterable[Path], timeout: float) -> Mapping[Path, VassalStats]:
    """Ask the masters of vassals, all at once; this makes each of them check its workers.

    Masters that do not answer within `timeout` seconds are left out.
    """
    return hear_vassals(paths, timeout).stats


def hear_vassals(paths: Iterable[Path], timeout: float) -> Heard:
    """Like `read_vassals`, with the answers that are odd."""
    told: dict[Path, VassalStats] = {}
    odd: dict[Path, str] = {}
    for path, said in _read(paths, timeout).items():
        try:
            told[path] = vassal_stats(said)
        except Odd as error:
            odd[path] = str(error)
    return Heard(told, odd)


def emperor_stats(said: bytes) -> EmperorStats:
    """The report in an Emperor's answer. Raises Odd."""
    document = _document(_NAME.sub(_escaped, said))
    return EmperorStats(
        pid=document.number("pid", _HIGHEST_PID),
        vassals={each.text("id"): _vassal(each) for each in document.objects("vassals")},
        blacklist={each.text("id"): _penalty(each) for each in document.objects("blacklist")},
    )


def vassal_stats(said: bytes) -> VassalStats:
    """The report in the answer of a vassal's master. Raises Odd."""
    document = _document(said)
    workers = document.objects("workers", _MOST_WORKERS)
    return VassalStats(document.number("pid", _HIGHEST_PID), tuple(map(_worker, workers)))


@dataclass(frozen=True)
class _Object:
    """An object in an answer, whose fields are checked as they are read."""

    fields: Mapping[str, object]

    def number(self, key: str, highest: int = _HIGHEST, lowest: int = 0) -> int:
        value = self._get(key)
        # True is an int to Python, but nothing that uWSGI says.
        if type(value) is not int:
            raise Odd(f"{key} is {_kind(value)}, not a number")
        if not lowest <= value <= highest:
            raise Odd(f"{key} is out of range")
        return value

    def flag(self, key: str) -> bool:
        return self.number(key) > 0

    def moment(self, key: str) -> int:
        """A time in whole seconds; uWSGI writes one before 1970 as if it had no sign."""
        value = self.number(key, highest=2**64)
        value -= 2**64 if value >= 2**63 else 0
        return value if abs(value) < _LAST_SECOND else 0

    def text(self, key: str) -> str:
        value = self._get(key)
        if not isinstance(value, str):
            raise Odd(f"{key} is {_kind(value)}, not text")
        return value

    def objects(self, key: str, most: int | None = None) -> list[_Object]:
        value = self._get(key)
        if not isinstance(value, list):
            raise Odd(f"{key} is {_kind(value)}, not a list")
        if most and len(value) > most:
            raise Odd(f"it has {len(value)} {key}")
        return [_object(each, f"one of its {key}") for each in value]

    def _get(self, key: str) -> object:
        if key not in self.fields:
            raise Odd(f"it has no {key}")
        return self.fields[key]


def _object(value: object, what: str) -> _Object:
    if not isinstance(value, dict):
        raise Odd(f"{what} is {_kind(value)}, not an object")
    return _Object(value)


def _kind(value: object) -> str:
    return _KINDS.get(type(value), "null" if value is None else "a number")


def _vassal(entry: _Object) -> Vassal:
    return Vassal(
        pid=entry.number("pid", _HIGHEST_PID, lowest=-1),
        ready=entry.flag("ready"),
        accepting=entry.flag("accepting"),
        cursed=entry.flag("cursed"),
        on_demand=bool(entry.fields.get("on_demand")),
        respawns=entry.number("respawns"),
        last_mod=entry.moment("last_mod"),
        last_run=entry.moment("last_run"),
        last_ready=entry.moment("last_ready"),
        last_accepting=entry.moment("last_accepting"),
    )


def _penalty(entry: _Object) -> Penalty:
    # throttle_level is in milliseconds, last_attempt in seconds since the epoch; attempts count
    # from 0.
    last_attempt = entry.moment("last_attempt")
    return Penalty(
        attempts=entry.number("attempt") + 1,
        retry_at=last_attempt + entry.number("throttle_level", highest=2**40) / 1000,
        last_attempt=last_attempt,
    )


def _worker(entry: _Object) -> WorkerStats:
    cores = entry.objects("cores", _MOST_THREADS)
    return WorkerStats(
        pid=entry.number("pid", _HIGHEST_PID),
        accepting=entry.flag("accepting"),
        threads=len(cores),
        busy=sum(core.flag("in_request") for core in cores),
        cheap=entry.text("status") == "cheap",
        requests=entry.number("requests"),
        respawns=max(0, entry.number("respawn_count") - 1),
        latency=entry.number("avg_rt") / 1e6,
    )


def _document(said: bytes) -> _Object:
    if len(said) > _LONGEST:
        raise Odd(f"it is longer than {_LONGEST // 1024**2} MB")
    try:
        # A request's headers, which it quotes, can have any byte. Decoded here: given bytes,
        # loads() detects the encoding first, which takes as long again.
        value = json.loads(said.decode(errors="replace"), strict=False)
    except (ValueError, RecursionError):
        raise Odd("it is not JSON") from None
    return _object(value, "it")


def _escaped(found: re.Match[bytes]) -> bytes:
    name = json.dumps(found[1].decode(errors="surrogateescape"))
    return b'"id":' + name.encode() + found[2]


def _read(paths: Iterable[Path], timeout: float) -> dict[Path, bytes]:
    """The answers of several sockets, all connected to before the first is read.

    One that is longer than any of uWSGI's is cut.
    """
    said: dict[Path, bytes] = {}
    asked: dict[int, tuple[Path, socket.socket, bytearray]] = {}
    # poll, because select fails in a process with more than a thousand open files.
    waiting = select.poll()
    _drop_the_late()
    try:
        for path in paths:
            if connection := _late.pop(path, None) or _connected(path):
                asked[connection.fileno()] = (path, connection, bytearray())
                waiting.register(connection, select.POLLIN)
        deadline, end = Deadline(timeout), Deadline(timeout + _READING)
        while asked and not end.expired and (ready := waiting.poll(deadline.remaining * 1000)):
            for descriptor, _ in ready:
                path, connection, heard = asked[descriptor]
                if _hear(connection, heard):
                    waiting.unregister(descriptor)
                    del asked[descriptor]
                    connection.close()
                    if heard:
                        said[path] = bytes(heard)
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
