"""The definition of a kind of service."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..facts.sightings import Sighting, Vassal
from ..facts.states import State
from ..uwsgi.ini import VassalFile


@dataclass(frozen=True)
class Kind:
    """One kind of service, as a value; `kinds.catalog` lists them all.

    `recognises` decides by the vassal file. `has_workers` tells whether uWSGI's own workers serve,
    so that their master's report counts. `could_answer` tells whether it makes sense to probe the
    port of a live vassal, and `must_ask` whether only its port can tell if it answers. `judge`
    returns the state of a vassal that is alive and not stopping.
    """

    name: str
    recognises: Callable[[VassalFile], bool]
    has_workers: bool
    could_answer: Callable[[Sighting, Vassal], bool]
    must_ask: Callable[[Sighting], bool]
    judge: Callable[[Sighting, Vassal], State]
