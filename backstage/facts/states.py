"""The states of an Act, and how they follow from what was seen."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class State(Enum):
    """Where an Act is. Always what was seen, never what was asked for."""

    STOPPED = "stopped"
    WAITING = "waiting"
    STARTING = "starting"
    RUNNING = "running"
    RELOADING = "reloading"
    SLEEPING = "sleeping"
    FAILING = "failing"
    STOPPING = "stopping"

    def __str__(self) -> str:
        return self.value


# States that pass by themselves, so that what comes after them is to be looked for.
PASSING = frozenset({State.STARTING, State.RELOADING, State.STOPPING})
# So many workers that have ended while they were loading are no accident.
_DEATHS = 2


@dataclass(frozen=True, kw_only=True)
class Vassal:
    """One entry of `vassals` in the Emperor's stats.

    `pid` is -1 while it sleeps on demand. Moments are whole seconds since the epoch, 0 for never;
    `last_mod` is the mtime of the vassal file that the Emperor has acted upon.
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


@dataclass(frozen=True, kw_only=True)
class Penalty:
    """One entry of `blacklist` in the Emperor's stats; moments are in seconds since the epoch."""

    attempts: int
    retry_at: float
    last_attempt: float = 0.0

    @property
    def waits(self) -> bool:
        """Whether the Emperor waits before it tries again; after a first failure it does not."""
        return self.retry_at > self.last_attempt


@dataclass(frozen=True, kw_only=True)
class Workforce:
    """The workers of a vassal, as its master tells and the kernel confirms.

    `threads` are those of the workers that accept requests, `busy` how many of them are at work.
    `loading` counts workers that do not accept yet, `ended` those whose process is no more,
    `halted` those that a signal has stopped, `asleep` those that the next request brings back.
    `latency` is how long answers take lately, in seconds.
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


@dataclass(frozen=True, kw_only=True)
class Sighting:
    """What was seen of an Act in one look.

    `alive` is whether the vassal's master process is, `daemon` whether its work is done or its port
    opened by other programs than its workers. `answers` tells whether its port has answered; None
    where it has no port or nobody had to ask.
    """

    wanted: bool
    emperor: bool
    vassal: Vassal | None = None
    penalty: Penalty | None = None
    workforce: Workforce | None = None
    alive: bool = True
    daemon: bool = False
    answers: bool | None = None

    @property
    def serves(self) -> bool | None:
        """Whether a request would be answered; None where only asking can tell."""
        if self.answers is not None:
            return self.answers
        if self.workforce is None:
            return None
        if not self.workforce.threads:
            return False
        return True if self.workforce.busy < self.workforce.threads else None

    @property
    def could_serve(self) -> bool:
        """Whether it makes sense to ask the port."""
        if not self.wanted or not self.alive:
            return False
        if self.vassal is None:
            return not self.emperor
        if self.vassal.cursed or self.vassal.pid == -1:
            return False
        if self.daemon:
            return True
        return self.vassal.accepting and (self.workforce is None or self.workforce.threads > 0)


def judge(seen: Sighting) -> State:
    """Name the state of an Act from one look at it."""
    there = seen.vassal is not None or seen.workforce is not None
    if not seen.wanted:
        return State.STOPPING if there else State.STOPPED
    if seen.vassal:
        return _judge_vassal(seen, seen.vassal)
    if not seen.emperor:
        # A vassal that has outlived its Emperor is what it is.
        return State.RUNNING if seen.serves else State.WAITING
    return State.FAILING if seen.penalty and seen.penalty.waits else State.STARTING


def _judge_vassal(seen: Sighting, vassal: Vassal) -> State:
    if vassal.on_demand and vassal.pid == -1 and not vassal.cursed:
        return State.SLEEPING
    if not seen.alive:
        # Wanted and dead: about to be replaced.
        return State.STARTING
    if vassal.cursed:
        return State.STOPPING
    if _is_asleep(seen.workforce):
        return State.SLEEPING
    if seen.workforce and not seen.daemon and not vassal.accepting:
        # Those workers are still the old ones, or have not been counted by the Emperor yet.
        return _judge_loading(vassal, seen.workforce)
    if seen.serves or (seen.serves is None and _is_up(seen, vassal)):
        return State.RUNNING
    if vassal.accepting:
        return State.STARTING if _is_replaced(seen.workforce) else State.FAILING
    return _judge_loading(vassal)


def _is_asleep(workforce: Workforce | None) -> bool:
    if workforce is None or workforce.threads or workforce.loading or workforce.ended:
        return False
    return workforce.asleep > 0 and not workforce.halted


def _is_replaced(workforce: Workforce | None) -> bool:
    if workforce is None or workforce.threads:
        return False
    return workforce.loading > 0 or workforce.ended > 0


def _is_up(seen: Sighting, vassal: Vassal) -> bool:
    # Once reloaded, a vassal of daemons is never called ready again.
    return vassal.accepting or (seen.daemon and (vassal.ready or vassal.respawns > 0))


def _judge_loading(vassal: Vassal, workforce: Workforce | None = None) -> State:
    if workforce and workforce.loading and not workforce.threads and workforce.respawns >= _DEATHS:
        # Its workers end before they accept, and uWSGI begins others for ever.
        return State.FAILING
    return State.RELOADING if vassal.respawns else State.STARTING
