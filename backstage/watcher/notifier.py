"""Tells people about Acts in trouble, without holding up the watcher."""

from __future__ import annotations

import math
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from ..events.event import Event
from ..events.history import Moment
from ..facts.notices import Delivery, Failure, Memory, Target, Undelivered
from ..facts.states import State
from ..layout.paths import VenuePaths
from ..status import notice_memory
from ..status.wording import one_line
from ..system import processes
from ..uwsgi import tries
from .sending import Sending
from .troubles import HOUR, Troubles

# A target that could not be told is tried so often, after so many seconds each.
_TRIES, _AGAIN = 3, 60.0
# How often to see what came of a notice, in seconds.
_BEAT = 0.5
# Notices that wait; older ones are dropped.
_MOST_WAITING = 100


@dataclass(frozen=True)
class _Job:
    """A notice to be sent at `due`, by the clock that nobody sets."""

    what: Undelivered
    due: float


class Notifier:
    """Tells the targets that `targets` returns; failures are said in the watcher's log."""

    def __init__(self, venue_paths: VenuePaths, targets: Callable[[], Sequence[Target]]) -> None:
        self._paths = venue_paths
        self._targets = targets
        self._kept = notice_memory.read(venue_paths)
        self._failures = {failure.key: failure for failure in self._kept.failures}
        now = processes.boot_clock()
        # The system may have booted since then, and its clock began anew.
        known = {
            act: replace(
                trouble,
                since=min(trouble.since, now),
                over=None if trouble.over is None else min(trouble.over, now),
            )
            for act, trouble in self._kept.troubles.items()
        }
        sent = [moment for moment in self._kept.sent if moment <= now]
        held = self._kept.held if self._kept.held <= now + HOUR else 0.0
        self._troubles = Troubles(str(venue_paths.top), known, sent, held)
        jobs = [_Job(what, now) for what in self._kept.undelivered]
        self._jobs: deque[_Job] = deque(jobs, maxlen=_MOST_WAITING)
        self._sending: tuple[_Job, Sending] | None = None

    def begin(self, acts: Mapping[str, Moment]) -> None:
        """Begin with how the Acts are."""
        for name in self._troubles.acts.keys() | acts.keys():
            moment = acts.get(name, Moment(State.STOPPED))
            self._note(name, moment.state, moment.reason)

    def note(self, event: Event) -> None:
        """Take note of an event."""
        self._note(event.act, event.after, event.reason)

    def beat(self) -> None:
        """Send what is due, and see what came of what was sent."""
        now = processes.boot_clock()
        targets = self._targets()
        if targets:
            for notice in self._troubles.due(now, time.time()):
                keys = tuple(target.key for target in targets)
                self._jobs.append(_Job(Undelivered(notice, keys), now))
        self._conclude(now)
        if self._sending is None and targets:
            self._start(targets, now)
        self._keep()

    @property
    def pause(self) -> float:
        """Seconds until the next beat has something to do."""
        now = processes.boot_clock()
        moments: list[float] = []
        if self._targets():
            moments += [max(0.0, job.due - now) for job in self._jobs]
            moments.append(self._troubles.pause(now))
        return _BEAT if self._sending else min(moments, default=math.inf)

    def _note(self, act: str, state: State, reason: str) -> None:
        given_up = state is State.STOPPED and tries.given_up(self._paths.act(act))
        self._troubles.note(
            act,
            state,
            one_line(given_up or reason),
            given_up=bool(given_up),
            now=processes.boot_clock(),
            at=time.time(),
        )

    def _start(self, targets: Sequence[Target], now: float) -> None:
        job = next((job for job in self._jobs if job.due <= now), None)
        if job is None:
            return
        self._jobs.remove(job)
        missing = [target for target in targets if target.key in job.what.keys]
        if not missing:
            # They are not to be told any more.
            return
        try:
            self._sending = job, Sending(self._paths, missing, job.what.notice)
        except OSError as error:
            self._failed(job, [Delivery(target, str(error)) for target in missing], now)

    def _conclude(self, now: float) -> None:
        if self._sending is None or not self._sending[1].is_over:
            return
        job, sending = self._sending
        self._sending = None
        deliveries = sending.end()
        for delivery in deliveries:
            self._failures.pop(delivery.target.key, None)
        self._failed(job, [delivery for delivery in deliveries if delivery.error], now)

    def _failed(self, job: _Job, failed: Sequence[Delivery], now: float) -> None:
        if not failed:
            return
        for each in failed:
            self._failures[each.target.key] = Failure(each.target.key, each.error, time.time())
            self._say(f"cannot tell {each.target.shown}: {each.error}")
        tried = job.what.tried + 1
        if tried < _TRIES:
            keys = tuple(each.target.key for each in failed)
            self._jobs.append(_Job(replace(job.what, keys=keys, tried=tried), now + _AGAIN))

    def _keep(self) -> None:
        failures = tuple(self._failures.values())
        jobs = [*([self._sending[0]] if self._sending else []), *self._jobs]
        undelivered = tuple(job.what for job in jobs)
        troubles = self._troubles
        memory = Memory(dict(troubles.acts), troubles.sent, failures, undelivered, troubles.held)
        if memory != self._kept:
            self._kept = memory
            try:
                notice_memory.write(self._paths, memory)
            except OSError as error:
                self._say(f"cannot keep what was told: {error}")

    @staticmethod
    def _say(words: str) -> None:
        with suppress(OSError):
            print(words, file=sys.stderr, flush=True)
