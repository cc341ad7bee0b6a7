"""WSGI: uWSGI's own workers answer, and their master reports their state."""

from __future__ import annotations

from ..facts.sightings import Sighting, Vassal, Workforce
from ..facts.states import State
from ..uwsgi.ini import VassalFile
from .kind import Kind

# After this many deaths of workers in a row, while they load, the Act is failing.
DEATHS = 2


def _recognises(_: VassalFile) -> bool:
    """Every file that no other kind recognises."""
    return True


def _could_answer(seen: Sighting, vassal: Vassal) -> bool:
    return vassal.accepting and (seen.workforce is None or seen.workforce.threads > 0)


def _must_ask(seen: Sighting) -> bool:
    return seen.serves is None


def _judge(seen: Sighting, vassal: Vassal) -> State:
    if _is_asleep(seen.workforce):
        return State.SLEEPING
    if seen.deaths >= DEATHS or (seen.workforce and not seen.workforce.intended):
        return State.FAILING
    if seen.workforce and not vassal.accepting:
        # These are still the old workers, or the Emperor does not know of the new ones yet.
        return vassal.on_its_way
    if seen.serves or (seen.serves is None and vassal.accepting):
        return State.RUNNING
    if vassal.accepting and seen.reloading:
        return State.RELOADING
    if vassal.accepting:
        return State.STARTING if _is_replaced(seen.workforce) else State.FAILING
    return vassal.on_its_way


def _is_asleep(workforce: Workforce | None) -> bool:
    if workforce is None or workforce.threads or workforce.loading or workforce.ended:
        return False
    return workforce.asleep > 0 and not workforce.halted


def _is_replaced(workforce: Workforce | None) -> bool:
    if workforce is None or workforce.threads:
        return False
    return workforce.loading > 0 or workforce.ended > 0


WSGI = Kind("wsgi", _recognises, True, _could_answer, _must_ask, _judge)
