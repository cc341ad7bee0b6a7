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


@dataclass(frozen=True, kw_only=True)
class Vassal:
    """One entry of `vassals` in the Emperor's stats; `pid` is -1 while it sleeps on demand."""

    pid: int
    ready: bool
    accepting: bool
    cursed: bool
    on_demand: bool
    respawns: int


@dataclass(frozen=True, kw_only=True)
class Penalty:
    """One entry of `blacklist` in the Emperor's stats; `retry_at` is in seconds since the epoch."""

    attempts: int
    retry_at: float


@dataclass(frozen=True, kw_only=True)
class Sighting:
    """What was seen of an Act in one look.

    `answers` tells whether a request to its address came back, None where it has no address.
    """

    wanted: bool
    emperor: bool
    vassal: Vassal | None = None
    penalty: Penalty | None = None
    answers: bool | None = None


def judge(seen: Sighting) -> State:
    """Name the state of an Act from one look at it."""
    if not seen.wanted:
        return State.STOPPING if seen.vassal else State.STOPPED
    if not seen.emperor:
        return State.WAITING
    if seen.vassal is None:
        return State.FAILING if seen.penalty else State.STARTING
    return _judge_vassal(seen.vassal, seen.answers)


def _judge_vassal(vassal: Vassal, answers: bool | None) -> State:
    if vassal.cursed:
        return State.STOPPING
    if vassal.on_demand and vassal.pid == -1:
        return State.SLEEPING
    if answers or (answers is None and vassal.accepting):
        return State.RUNNING
    if vassal.accepting:
        return State.FAILING
    return State.RELOADING if vassal.respawns else State.STARTING
