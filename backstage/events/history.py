"""Turns successive looks at Acts into a history of events."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

from ..facts.states import EXPLAINED, LASTING, State
from .event import Event


@dataclass(frozen=True)
class Moment:
    """The relevant facts of one look: `pid` is the master's, `reloads` counts since it began.

    `loaded` is when it last loaded its files, 0 if unknown. `workers` are the pids of its workers.
    `reason` explains the state; `remark` is other news, to be reported once.
    """

    state: State
    pid: int | None = None
    reloads: int = 0
    reason: str = ""
    remark: str = ""
    workers: frozenset[int] = frozenset()
    loaded: int = 0


class History:
    """Keeps the last look at each Act, to find what is new in the next."""

    def __init__(self) -> None:
        self._last: dict[str, Moment] = {}

    def last(self, name: str) -> Moment:
        """The last look; an Act that was never seen counts as stopped."""
        return self._last.get(name, Moment(State.STOPPED))

    def begin(self, name: str, moment: Moment) -> None:
        """Take a look as the starting point, without an event."""
        self._last[name] = moment

    def note(self, name: str, moment: Moment, at: float) -> list[Event]:
        """The events between the last look and this one, oldest first."""
        last = self.last(name)
        if moment.state is last.state and not moment.reason:
            moment = replace(moment, reason=last.reason)
        if not moment.loaded:
            # While it loads its files, it has not loaded them again yet.
            moment = replace(moment, loaded=last.loaded)
        self._last[name] = moment
        changes = _changes(last, moment)
        news = [(before, after, moment.reason) for before, after in changes]
        if not news and moment.state in EXPLAINED and moment.reason != last.reason:
            news.append((moment.state, moment.state, moment.reason))
        if moment.remark:
            news.append((moment.state, moment.state, moment.remark))
        return [Event(name, before, after, at, why, moment.pid) for before, after, why in news]

    def is_change(self, name: str, moment: Moment) -> bool:
        """Whether the state has changed since the last look, even if it changed back."""
        return bool(_changes(self.last(name), moment))

    def forget(self, name: str) -> None:
        """Forget an Act that was retired."""
        self._last.pop(name, None)

    def moments(self) -> dict[str, Moment]:
        """The last look at every Act; may be called from any thread."""
        return dict(self._last)

    def others_than(self, states: Collection[State]) -> set[str]:
        """The Acts that were last seen neither running nor in one of these states."""
        # Most of them run, and to hash a state takes longer than to compare it.
        return {
            name
            for name, moment in self._last.items()
            if moment.state is not State.RUNNING and moment.state not in states
        }

    def states(self) -> Iterator[tuple[str, State]]:
        """Every Act with its last seen state."""
        for name, moment in self._last.items():
            yield name, moment.state


def _changes(last: Moment, now: Moment) -> list[tuple[State, State]]:
    states = [last.state, *_between(last, now), now.state]
    return [pair for pair in pairwise(states) if pair[0] is not pair[1]]


def _between(last: Moment, now: Moment) -> list[State]:
    """States that must have occurred between the two looks."""
    if last.state is not now.state or now.state not in LASTING:
        return []
    if last.pid and now.pid and last.pid != now.pid:
        return [State.STARTING]
    if last.pid == now.pid and (now.reloads > last.reloads or now.loaded > last.loaded > 0):
        return [State.RELOADING]
    if last.workers and now.workers and last.workers.isdisjoint(now.workers):
        # All ended at once, and have been replaced already.
        return [State.STARTING]
    return []
