"""Writes down what happens to the Acts: each event, and their restarts and time down."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from ..events import lines
from ..events.event import Event
from ..events.history import Moment
from ..facts.past import DOWN, Tally
from ..facts.states import LASTING, State
from ..layout.paths import VenuePaths
from ..status import tallies
from ..system import processes
from ..system.files import make_private
from .event_log import EventLog

# The file that says that a watcher lives is dated anew after so many seconds.
_SIGN = 10.0


def last_alive(venue_paths: VenuePaths) -> float:
    """When a watcher last lived, in seconds since the epoch; 0 if none ever did."""
    try:
        return venue_paths.watcher_lock.stat().st_mtime
    except OSError:
        return 0.0


def show_alive(venue_paths: VenuePaths) -> None:
    """Show that a watcher lives now."""
    # Not by opening it: that would end the lock when it is closed.
    with suppress(OSError):
        os.utime(venue_paths.watcher_lock)


@dataclass(frozen=True)
class Gap:
    """The time without a watcher: since when, and for how many seconds no Emperor ran, if known."""

    since: float
    away: float

    @classmethod
    def until_now(cls, venue_paths: VenuePaths, since: float, emperor: int | None) -> Gap:
        """The gap since a moment, by what is known of the Emperor that runs now."""
        facts = processes.facts(emperor) if emperor and since else None
        if facts is None or _is_turned_on_since(venue_paths, since):
            return cls(since, 0.0)
        began = time.time() - (processes.boot_clock() - facts.began)
        return cls(since, max(0.0, began - since))

    @property
    def told(self) -> str:
        if not self.since:
            return "seen when the first watcher started"
        moment = datetime.fromtimestamp(self.since).strftime("%Y-%m-%d %H:%M:%S")
        return f"seen when the watcher started; nobody watched since {moment}"


def _is_turned_on_since(venue_paths: VenuePaths, moment: float) -> bool:
    """Whether the watcher may have been off: otherwise it ends with its Emperor only."""
    try:
        return venue_paths.watcher.stat().st_mtime > moment
    except OSError:
        return True


class Chronicle:
    """The history of a Venue, written by its watcher. What cannot be written is lost."""

    def __init__(self, venue_paths: VenuePaths) -> None:
        self._paths = venue_paths
        self._log = EventLog(venue_paths.events)
        self._tallies: dict[str, Tally] = {}
        # When each Act entered its state, by a clock that nobody sets.
        self._entered: dict[str, float] = {}
        self._shown = 0.0
        self._is_told = False

    def begin(self, acts: Mapping[str, Moment], gap: Gap) -> None:
        """Begin with how the Acts are; what is not as it was is an event."""
        with suppress(OSError):
            make_private(self._paths.past)
        known = {name: tallies.read(self._paths.act(name)) for name in tallies.names(self._paths)}
        for name in sorted(known.keys() | acts.keys()):
            moment = acts.get(name, Moment(State.STOPPED))
            self._take_up(name, known.get(name), moment, gap)
        self.beat()

    def note(self, event: Event) -> None:
        """Write an event down."""
        self._append(event)
        self._count(event.act, event.after, event.pid, event.at)

    def beat(self) -> None:
        """Show that there is a watcher, if it is time."""
        if time.monotonic() >= self._shown:
            self._shown = time.monotonic() + _SIGN
            show_alive(self._paths)
            self._forget_retired()

    def _forget_retired(self) -> None:
        for name, tally in list(self._tallies.items()):
            if tally.state is State.STOPPED and self._is_retired(name):
                del self._tallies[name], self._entered[name]

    def _is_retired(self, name: str) -> bool:
        act = self._paths.act(name)
        return not (act.kept.exists() or act.vassal.exists())

    def _take_up(self, name: str, known: Tally | None, moment: Moment, gap: Gap) -> None:
        now = time.time()
        tally = known or Tally(since=now, counted=now)
        before, state = tally.state, moment.state
        anew = before is state and state in LASTING and _is_loaded_since(moment, tally, gap)
        tally = _with_gap(tally, state, gap, now)
        self._tallies[name] = tally
        self._entered[name] = processes.boot_clock()
        if before is not state or anew:
            why = "; ".join(filter(None, (moment.reason, gap.told)))
            self._append(Event(name, before, state, now, why, moment.pid, gap.since))
        if known is None and state is State.STOPPED:
            return
        self._tally(name, tally.after(state, moment.pid, now, anew=anew))

    def _count(self, name: str, state: State, pid: int | None, at: float) -> None:
        clock = processes.boot_clock()
        tally = self._tallies.get(name) or Tally(since=at, counted=at)
        if tally.state in DOWN:
            tally = tally.lasted(clock - self._entered.get(name, clock), at)
        self._entered[name] = clock
        self._tally(name, tally.after(state, pid, at))

    def _tally(self, name: str, tally: Tally) -> None:
        self._tallies[name] = tally
        act = self._paths.act(name)
        try:
            if tally.state is State.STOPPED and self._is_retired(name):
                del self._tallies[name], self._entered[name]
                act.past.unlink(missing_ok=True)
            else:
                tallies.write(act, tally)
        except OSError as error:
            self._complain(error)

    def _append(self, event: Event) -> None:
        try:
            self._log.append(lines.line_of(event))
            self._is_told = False
        except OSError as error:
            self._complain(error)

    def _complain(self, error: OSError) -> None:
        """Say once, in the watcher's log, that something cannot be written."""
        if not self._is_told:
            self._is_told = True
            with suppress(OSError):
                print(f"the history cannot be written: {error}", file=sys.stderr, flush=True)


def _with_gap(tally: Tally, state: State, gap: Gap, now: float) -> Tally:
    """The tally with the time down that is not counted yet, if the Act is found in `state`.

    Without an Emperor every Act was down. Otherwise it was while nobody watched if it was before,
    and still is.
    """
    if State.STOPPED in {tally.state, state}:
        return tally
    was_down = tally.state in DOWN
    until = now if was_down and state in DOWN else gap.since + gap.away
    return tally.lasted(until - tally.counted if was_down else gap.away, until)


def _is_loaded_since(moment: Moment, tally: Tally, gap: Gap) -> bool:
    return bool(gap.since) and moment.loaded / 1e9 > max(gap.since, tally.counted)
