"""What there is to know of a kind of service."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..facts.sightings import Sighting, Vassal
from ..facts.states import State
from ..uwsgi.ini import VassalFile


@dataclass(frozen=True)
class Kind:
    """One kind of service, as a value; `kinds.catalog` lists them all.

    `recognises` tells it by the vassal file. `has_workers` is whether uWSGI's own workers serve, so
    that their master's word on them counts. `could_answer` is whether it makes sense to ask the
    port of a vassal that is alive, and `must_ask` whether nothing but the port can tell if it
    answers. `judge` names the state of a vassal that is alive and not on its way out.
    """

    name: str
    recognises: Callable[[VassalFile], bool]
    has_workers: bool
    could_answer: Callable[[Sighting, Vassal], bool]
    must_ask: Callable[[Sighting], bool]
    judge: Callable[[Sighting, Vassal], State]
