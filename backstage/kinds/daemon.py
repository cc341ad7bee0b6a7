"""Daemons: programs other than uWSGI's workers do the work, or open the port.

These are the programs that `attach-daemon` and similar options start, and the router of an `http`
socket.
"""

from __future__ import annotations

from ..facts.sightings import Sighting, Vassal
from ..facts.states import State
from ..uwsgi.ini import DAEMONS, VassalFile
from .kind import Kind

OPTIONS = DAEMONS


def _recognises(file: VassalFile) -> bool:
    if file.address is not None:
        return not file.address.direct
    return any(file.get(option) is not None for option in OPTIONS)


def _could_answer(_: Sighting, __: Vassal) -> bool:
    return True


def _must_ask(_: Sighting) -> bool:
    return True


def _judge(seen: Sighting, vassal: Vassal) -> State:
    # After a reload, the Emperor never reports a vassal of daemons as ready again.
    is_up = vassal.accepting or vassal.ready or vassal.respawns > 0
    if seen.serves or (seen.serves is None and is_up):
        return State.RUNNING
    return State.FAILING if vassal.accepting else vassal.on_its_way


DAEMON = Kind("daemon", _recognises, False, _could_answer, _must_ask, _judge)
