"""How the state of an Act follows from what was seen of it."""

from __future__ import annotations

from ..facts.sightings import Sighting, Vassal
from ..facts.states import State
from .kind import Kind


def judge(seen: Sighting, kind: Kind) -> State:
    """Name the state of an Act of some kind from one look at it."""
    there = seen.vassal is not None or seen.workforce is not None
    if not seen.wanted:
        return State.STOPPING if there else State.STOPPED
    if seen.vassal:
        return _judge_vassal(seen, seen.vassal, kind)
    if not seen.emperor:
        # A vassal that has outlived its Emperor is what it is.
        return State.RUNNING if seen.serves else State.WAITING
    return State.FAILING if seen.penalty and seen.penalty.waits else State.STARTING


def could_answer(seen: Sighting, kind: Kind) -> bool:
    """Whether it makes sense to ask the port of an Act."""
    if not seen.wanted or not seen.alive:
        return False
    if seen.vassal is None:
        return not seen.emperor
    if seen.vassal.cursed or seen.vassal.pid == -1:
        return False
    return kind.could_answer(seen, seen.vassal)


def is_unsure(seen: Sighting, kind: Kind) -> bool:
    """Whether only the port of an Act can tell how it is, and has not been asked."""
    return seen.answers is None and could_answer(seen, kind) and kind.must_ask(seen)


def _judge_vassal(seen: Sighting, vassal: Vassal, kind: Kind) -> State:
    if vassal.on_demand and vassal.pid == -1 and not vassal.cursed:
        return State.SLEEPING
    if not seen.alive:
        # Wanted and dead: about to be replaced.
        return State.STARTING
    if vassal.cursed:
        return State.STOPPING
    return kind.judge(seen, vassal)
