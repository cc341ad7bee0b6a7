"""Observations of an Act: by the Emperor, by its master, by the kernel."""

from __future__ import annotations

from dataclasses import dataclass

from .states import State


@dataclass(frozen=True, kw_only=True)
class Vassal:
    """One entry of `vassals` in the Emperor's stats.

    `pid` is -1 while an on-demand vassal sleeps. Times are whole seconds since the epoch, 0 for
    never; `last_mod` is the mtime of the vassal file that the Emperor last acted on.
    """

    pid: int
    ready: bool
    accepting: bool
    cursed: bool
    on_demand: bool
    respawns: int
    last_mod: int = 0
    last_run: int = 0
    last_ready: int = 0
    last_accepting: int = 0

    @property
    def on_its_way(self) -> State:
        """Its state while it does not accept requests yet."""
        return State.RELOADING if self.respawns else State.STARTING


@dataclass(frozen=True, kw_only=True)
class Penalty:
    """One entry of `blacklist` in the Emperor's stats; times are in seconds since the epoch."""

    attempts: int
    retry_at: float
    last_attempt: float = 0.0

    @property
    def waits(self) -> bool:
        """Whether the Emperor waits before it retries; after a first failure it does not."""
        return self.retry_at > self.last_attempt


@dataclass(frozen=True, kw_only=True)
class Workforce:
    """The workers of a vassal, as its master reports and the kernel confirms.

    `threads` counts the threads of workers that accept requests, `busy` those of them that handle
    one. `loading` counts workers that do not accept yet, `ended` those whose process is gone,
    `halted` those suspended by a signal, `asleep` those that the next request starts again.
    `latency` is the recent average response time in seconds. It is not `intended` that there are
    any if the master was told to have none.
    """

    threads: int
    busy: int
    loading: int = 0
    ended: int = 0
    halted: int = 0
    asleep: int = 0
    requests: int = 0
    respawns: int = 0
    latency: float = 0.0
    intended: bool = True


@dataclass(frozen=True)
class Halt:
    """Processes that a signal has halted, and that an Act needs: its own, or the Emperor."""

    who: str
    pids: tuple[int, ...]

    def __str__(self) -> str:
        told = ", ".join(map(str, self.pids))
        remedy = " ".join(("kill -CONT", *map(str, self.pids)))
        are = "is" if len(self.pids) == 1 else "are"
        return f"{self.who} (pid {told}) {are} halted by a signal; type: {remedy}"


@dataclass(frozen=True, kw_only=True)
class Sighting:
    """One observation of an Act.

    `alive` tells whether the vassal's master process is alive, and `reloading` whether it was told
    to load its files again, and not by the Emperor. `answers` tells whether its port answered; None
    if it has no port or was not probed. `deaths` is how often a worker died in a row while it
    loaded; it is 0 if any accepts requests. `healthy` is what its health check said last; None if
    it has none, or its present processes were not asked.
    """

    wanted: bool
    emperor: bool
    vassal: Vassal | None = None
    penalty: Penalty | None = None
    workforce: Workforce | None = None
    alive: bool = True
    reloading: bool = False
    answers: bool | None = None
    deaths: int = 0
    healthy: bool | None = None

    @property
    def serves(self) -> bool | None:
        """Whether a request would be answered; None if only a probe can tell."""
        if self.answers is not None:
            return self.answers
        if self.workforce is None:
            return None
        if not self.workforce.threads:
            return False
        return True if self.workforce.busy < self.workforce.threads else None
