"""Derive the state of an Act from an observation."""

from __future__ import annotations

from ..facts.sightings import Sighting, Vassal
from ..facts.states import State
from .kind import Kind


def judge(seen: Sighting, kind: Kind) -> State:
    """The state of an Act of this kind, from one observation."""
    state = _judge(seen, kind)
    return State.UNHEALTHY if state is State.RUNNING and seen.healthy is False else state


def could_answer(seen: Sighting, kind: Kind) -> bool:
    """Whether it makes sense to probe the port of an Act."""
    if not seen.wanted or not seen.alive:
        return False
    if seen.vassal is None:
        return not seen.emperor
    if seen.vassal.cursed or seen.vassal.pid == -1:
        return False
    return kind.could_answer(seen, seen.vassal)


def is_unsure(seen: Sighting, kind: Kind) -> bool:
    """Whether only the port of an Act can tell its state, and has not been probed."""
    return seen.answers is None and could_answer(seen, kind) and kind.must_ask(seen)


def _judge(seen: Sighting, kind: Kind) -> State:
    there = seen.vassal is not None or seen.workforce is not None
    if not seen.wanted:
        return State.STOPPING if there else State.STOPPED
    if seen.vassal:
        return _judge_vassal(seen, seen.vassal, kind)
    if not seen.emperor:
        # A vassal that has outlived its Emperor may still serve.
        return State.RUNNING if seen.serves else State.WAITING
    return State.FAILING if seen.penalty and seen.penalty.waits else State.STARTING


def _judge_vassal(seen: Sighting, vassal: Vassal, kind: Kind) -> State:
    if vassal.on_demand and vassal.pid == -1 and not vassal.cursed:
        return State.SLEEPING
    if not seen.alive:
        # It should run but is dead: the Emperor is about to replace it.
        return State.STARTING
    if vassal.cursed:
        return State.STOPPING
    return kind.judge(seen, vassal)
