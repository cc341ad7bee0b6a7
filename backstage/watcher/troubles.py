"""Which troubles people are told about: once if they last, and once when they are over."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from ..facts.notices import Kind, Notice, Trouble
from ..facts.states import State

# Neither a trouble nor its end is told before it has lasted so many seconds.
LASTS = 5.0
# So many notices are sent in an hour, and one more that says so.
MOST, HOUR = 20, 3600.0
_BAD = frozenset({State.FAILING, State.UNHEALTHY})
_GOOD = frozenset({State.RUNNING, State.SLEEPING, State.STOPPED})


class Troubles:
    """The Acts of the Venue at `venue` that are in trouble. Times are given by the caller."""

    def __init__(
        self, venue: str, known: Mapping[str, Trouble], sent: Iterable[float], held: float = 0.0
    ) -> None:
        self._venue = venue
        self.acts = dict(known)
        # When notices were sent.
        self._sent = deque(sent, maxlen=MOST)
        # Until when it is not said again that there are too many.
        self.held = held

    @property
    def sent(self) -> tuple[float, ...]:
        """When notices were sent within the last hour or so."""
        return tuple(self._sent)

    def note(
        self, act: str, state: State, reason: str, *, given_up: bool, now: float, at: float
    ) -> None:
        """Take note of an Act's state; `now` is by the clock that nobody sets, unlike `at`."""
        known = self.acts.get(act)
        if state in _BAD or given_up:
            first = known or Trouble(state, reason, since=now, began=at)
            reason = reason or first.reason
            self.acts[act] = replace(first, state=state, reason=reason, over=None)
        elif known and state is State.STOPPED and not known.told:
            del self.acts[act]
        elif known and state in _GOOD:
            over = now if known.over is None else known.over
            self.acts[act] = replace(known, state=state, over=over)
        elif known and known.over is not None:
            # It may not last.
            self.acts[act] = replace(known, over=None)

    def pause(self, now: float) -> float:
        """Seconds until there may be something to tell."""
        moments = [
            *(each.since + LASTS for each in self.acts.values() if _is_untold(each)),
            *(each.over + LASTS for each in self.acts.values() if each.over is not None),
        ]
        first = min(moments, default=math.inf)
        if self._is_full(now) and now < self.held:
            first = max(first, self._sent[0] + HOUR)
        return max(0.0, first - now)

    def due(self, now: float, at: float) -> Iterator[Notice]:
        """The notices that are to be sent now."""
        for act, trouble in sorted(self.acts.items()):
            if not _is_due(trouble, now):
                continue
            if trouble.over is not None and not trouble.told:
                # It did not last long enough to be told.
                del self.acts[act]
                continue
            if self._is_full(now):
                if now >= self.held:
                    self.held = now + HOUR
                    yield Notice(kind=Kind.HELD, venue=self._venue, at=at)
                return
            self._sent.append(now)
            yield self._notice(act, trouble, now, at)

    def _notice(self, act: str, trouble: Trouble, now: float, at: float) -> Notice:
        is_over = trouble.over is not None
        if is_over:
            del self.acts[act]
        else:
            self.acts[act] = replace(trouble, told=True)
        return Notice(
            kind=Kind.OVER if is_over else Kind.TROUBLE,
            venue=self._venue,
            at=at,
            act=act,
            state=str(trouble.state),
            since=trouble.began,
            lasted=(trouble.over or now) - trouble.since,
            reason=trouble.reason,
        )

    def _is_full(self, now: float) -> bool:
        return len(self._sent) == MOST and now - self._sent[0] < HOUR


def _is_due(trouble: Trouble, now: float) -> bool:
    if trouble.over is not None:
        return trouble.state is State.STOPPED or now - trouble.over >= LASTS
    return _is_untold(trouble) and now - trouble.since >= LASTS


def _is_untold(trouble: Trouble) -> bool:
    """Whether it goes on and nobody knows; an Act that has run since may only be restarting."""
    is_up = trouble.state in {State.RUNNING, State.SLEEPING}
    return not trouble.told and trouble.over is None and not is_up
