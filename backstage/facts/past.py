"""What happened to an Act in the last day, counted as it happens."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from .states import ANSWERING, State

DAY = 86_400.0
# Counted in steps of so many seconds: however much happens, the numbers of a day stay few.
_STEP = 900.0
# What begins with one of these and goes on with the other has begun once.
_BEGINNING = frozenset({State.STARTING, State.RELOADING})
# It is to run, and no visitor gets an answer. In a reload, requests wait for its end.
DOWN = frozenset({State.STARTING, State.FAILING, State.UNHEALTHY, State.WAITING})


@dataclass(frozen=True)
class Past:
    """The last day of an Act, as the Venue's watcher saw it.

    `restarts` is how often it began anew. `down` is for how many seconds it was to run, but did not
    answer, or not well. `since` is since when this is known, in seconds since the epoch.
    """

    restarts: int
    down: float
    since: float


@dataclass(frozen=True)
class Tally:
    """The numbers of an Act, from which its past is told.

    `state` is the last one, and `pid` its last master process. Time down is counted until
    `counted`. `running` tells whether it has been started since the last stop, and `restarts`
    counts the restarts since then. `steps` has the restarts and the seconds down in each step of
    time.
    """

    since: float
    counted: float
    state: State = State.STOPPED
    pid: int | None = None
    running: bool = False
    restarts: int = 0
    steps: Mapping[int, tuple[int, float]] = field(default_factory=dict)

    def after(self, state: State, pid: int | None, at: float, *, anew: bool = False) -> Tally:
        """The tally after an event; `anew` tells of a restart that the states do not show."""
        is_begun = self.state in _BEGINNING or self.state is State.SLEEPING
        # Under load, nobody may have looked while it started.
        is_replaced = state in ANSWERING and None not in {pid, self.pid} and pid != self.pid
        begins = (state in _BEGINNING or is_replaced) and self.running and not is_begun
        restarts = int(anew or begins)
        stops = state is State.STOPPED
        return replace(
            self,
            counted=at,
            state=state,
            pid=pid or self.pid,
            running=not stops and (self.running or state is not State.WAITING),
            restarts=0 if stops else self.restarts + restarts,
            steps=_kept({**self.steps, **self._counted(at, restarts)}, at),
        )

    def lasted(self, seconds: float, until: float) -> Tally:
        """The tally after so many seconds down that ended at `until`; negative ones are none."""
        steps = dict(self.steps)
        for moment, part in _parts(min(seconds, DAY), until):
            restarts, down = steps.get(_step(moment), (0, 0.0))
            steps[_step(moment)] = restarts, min(_STEP, down + part)
        return replace(self, steps=steps)

    def past(self, now: float, *, is_down: bool) -> Past:
        """The last day at `now`; if the Act `is_down`, with the time that is not counted yet."""
        tally = self
        if is_down and self.state in DOWN:
            tally = self.lasted(now - self.counted, now)
        steps = _kept(tally.steps, now).values()
        return Past(
            restarts=sum(restarts for restarts, _ in steps),
            down=round(min(DAY, sum(down for _, down in steps)), 3),
            since=max(self.since, now - DAY) if self.since <= now else now,
        )

    def _counted(self, at: float, restarts: int) -> dict[int, tuple[int, float]]:
        before, down = self.steps.get(_step(at), (0, 0.0))
        return {_step(at): (before + restarts, down)} if restarts else {}


def _step(moment: float) -> int:
    return int(moment // _STEP)


def _kept(steps: Mapping[int, tuple[int, float]], now: float) -> dict[int, tuple[int, float]]:
    """The steps of the last day; those of a clock that was ahead are none of them."""
    return {
        step: counts for step, counts in steps.items() if _step(now - DAY) <= step <= _step(now)
    }


def _parts(seconds: float, until: float) -> Iterator[tuple[float, float]]:
    """A time that ends at `until`, divided among the steps: a moment in each, and its seconds."""
    moment = until - seconds
    while moment < until:
        end = min(until, (_step(moment) + 1) * _STEP)
        if end <= moment:
            return
        yield moment, end - moment
        moment = end
