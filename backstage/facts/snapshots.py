"""Everything known about an Act at one moment."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from .faults import Fault
from .past import Past
from .states import State
from .untaken import Untaken


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """An Act at one moment.

    `since` is when its state began and `next_try` when the Emperor retries a failing Act, both in
    seconds since the epoch, None if unknown. `workers` counts its worker processes, `busy` the
    threads out of `threads` that handle a request. `requests` are counted since its master process
    started, and `restarts` since the Act was started if a watcher has seen that. `latency` is the
    recent average response time and `cpu` the CPU time that its processes have used, both in
    seconds. `memory` is what its processes and all their descendants use, in bytes; pages that they
    share count once, and those of files hardly. `attempts` counts the Emperor's recent failed
    starts. `reason` says in one line why the Act fails or does not answer well, or why an edit of
    its file is not used; `refused` is that fault as a value, and `untaken` an edit that a running
    Act has not loaded yet. `draining` tells whether its health path asks whoever sends visitors to
    send them elsewhere. `past` is the last day, as the watcher saw it; None if none has.
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
    untaken: Untaken | None = None
    draining: bool = False
    past: Past | None = None

    @property
    def url(self) -> str:
        """Its URL for a browser on this machine while it runs; '' if it has no TCP port."""
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
