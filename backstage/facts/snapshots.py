"""Everything there is to say of an Act at one moment."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from .faults import Fault
from .states import State


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """What was seen of an Act at one moment.

    `since` is when the state began and `next_try` when the Emperor tries a failing Act again, both
    in seconds since the epoch, None where nobody can tell. `workers` are its worker processes,
    `busy` of `threads` the requests that they are at. `requests` and `restarts`, of workers and of
    the whole vassal, are counted since its master process began. `latency` is how long answers take
    lately, and `cpu` the processor time that its processes have used, both in seconds. `memory` is
    in bytes, shared pages counted for each process. `attempts` in vain the Emperor has made lately.
    `reason` says in one line why the Act fails, or what keeps an edit of its file from being used;
    `refused` is that fault as a value.
    """

    name: str
    state: State
    since: float | None
    port: int | None
    pid: int | None
    workers: int
    threads: int
    busy: int
    requests: int
    latency: float
    memory: int
    cpu: float
    restarts: int
    attempts: int
    next_try: float | None
    reason: str
    refused: Fault | None = None

    @property
    def url(self) -> str:
        """Where a browser on this machine finds it while it runs; '' where it has no TCP port."""
        return f"http://localhost:{self.port}/" if self.port else ""

    def __str__(self) -> str:
        words = [f"{self.name} {self.state}"]
        if self.port:
            words.append(f"port {self.port}")
        if self.pid:
            words.append(f"pid {self.pid}")
        if self.reason:
            words.append(self.reason)
        if self.attempts and self.next_try:
            again = datetime.fromtimestamp(self.next_try).strftime("%H:%M:%S")
            words.append(f"tried {self.attempts} times, again at {again}")
        return ", ".join(words)
