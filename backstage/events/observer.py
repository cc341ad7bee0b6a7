"""Watching a Venue: every change of every Act is reported at once, in order, exactly once."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Collection
from dataclasses import replace

from ..facts.sightings import Halt
from ..facts.states import ANSWERING, EXPLAINED, LASTING, PASSING, State
from ..layout.paths import ActPaths
from ..logs import log_files
from ..status.survey import Look, Survey
from ..system import processes
from ..system.file_changes import Change, FileChanges
from ..system.timers import Timers
from ..system.wakeups import Wakeups
from ..uwsgi import vassal_files
from ..uwsgi.stats import EmperorStats
from . import giving_up
from .authors import Authors
from .edits import Edits
from .event import Event
from .health_rounds import HealthRounds
from .history import History, Moment
from .pending_probes import PendingProbes
from .reasons import Reasons

# The name that stands for the Emperor in wakeups.
_EMPEROR = ""
# All running Acts are checked in so many seconds, some every _STEP: hanging ones cause no wakeup.
_ROUND, _STEP = 100.0, 2.0
# How often to look for edits of which no notice came, in seconds.
_SEARCH = 10.0
# An editor's save may remove a file briefly: a removal counts after this many seconds.
_GRACE = 0.005
# A file that is being written, with no close event, is checked after this many seconds.
_WRITING = 1.0
# After an edit, or while another call works on the Act, look again after this many seconds.
_AGAIN = 0.01
# While the system has run out of something, such as space on a disk, so seldom.
_LATER = 1.0
# An edit that was accepted should be loaded within this many seconds.
_LOADED = 3.0
# What others write into run/ about an Act.
_HEALTH, _DRAIN = ".health", ".drain"
# An Act that answers its port stays in these until it has said how well.
_BEFORE = ANSWERING | {State.STARTING, State.RELOADING}
_NOT_THERE = frozenset({State.STOPPED, State.WAITING})
_QUIET = LASTING | {State.STOPPED}


class Observer:
    """Watches the Venue of `survey` and calls `tell` with each event, in the thread of `run`."""

    def __init__(self, survey: Survey, tell: Callable[[Event], None]) -> None:
        self._survey = survey
        self._paths = survey.paths
        self._tell = tell
        self._wakeups = Wakeups()
        # When to look again at which Act, and at which file.
        self._timers = Timers()
        self._files = Timers()
        self._history = History()
        self._edits = Edits(survey.emperor)
        self._reasons = Reasons(survey.paths)
        self._authors = Authors(survey.paths, processes.boot_clock())
        self._changes = FileChanges(
            self._paths.top,
            self._wakeups.wake,
            contents=[self._paths.vassals],
            names=[self._paths.run],
            writes=[self._paths.emperor_log],
        )
        self._closing = threading.Event()
        self._known: EmperorStats | None = None
        self._emperor_pid: int | None = None
        self._halt: Halt | None = None
        self._round: list[list[str]] = []
        self._round_at = 0.0
        self._search_at = 0.0
        self._said = 0
        self._writing: set[str] = set()
        # When an Act that does not run with its file is to load it again.
        self._overdue: dict[str, float] = {}
        self._pending = PendingProbes(self._wakeups)
        self._health = HealthRounds(survey.paths, self._wakeups)

    def begin(self) -> None:
        """Start watching; later changes are reported relative to the present state."""
        try:
            self._begin()
        except BaseException:
            self._release()
            raise

    def _begin(self) -> None:
        self._changes.open()
        self._known = self._survey.emperor.stats()
        # An Act whose files were just removed may still be stopping.
        names = self._survey.names() | _changed(None, self._known)
        for look in self._survey.glance_at(names, self._known).values():
            self._edits.begin(self._act(look.name), self._known, look.workers)
            self._reasons.begin(look)
            why = self._reasons.reason(look, look.state, look.state)
            self._history.begin(look.name, replace(_moment(look, look.state), reason=why))
            self._follow(look)
            if not look.unsure:
                self._health.attend(look)
            if look.state in PASSING or look.unsure:
                self._timers.repeat(look.name, time.monotonic())
        self._follow_emperor()
        self._said = log_files.size(self._paths.emperor_log)

    def moments(self) -> dict[str, Moment]:
        """How every Act was seen last."""
        return self._history.moments()

    def run(self) -> None:
        """Report changes until `close` is called."""
        try:
            while not self._closing.is_set():
                self._step()
        finally:
            self._release()

    def close(self) -> None:
        """Let `run` return; may be called from any thread."""
        self._closing.set()
        self._wakeups.wake()

    def _release(self) -> None:
        self._changes.close()
        self._pending.close()
        self._health.close()
        self._wakeups.close()

    # Each step

    def _step(self) -> None:
        now = time.monotonic()
        pauses = (self._timers.pause(now), self._files.pause(now), self._changes.pause(now))
        woken = self._wakeups.wait(min(*pauses, self._health.pause(now)))
        now = time.monotonic()
        answers = {name for name, _ in woken if self._health.is_answer(name)}
        woken = [(name, pid) for name, pid in woken if name not in answers]
        names = {name for name, _ in woken if name != _EMPEROR}
        stirred = len(names) < len(woken)
        names |= self._health.step(answers, now)
        for name, pid in woken:
            if pid:
                self._reasons.ended(name, pid)
        stirred |= self._take_changes(names, now)
        names |= self._timers.take(now) | self._files.take(now)
        if self._changes.is_due(now):
            stirred |= self._look_for_more(names, now)
        if names or stirred:
            self._look_at(names)

    def _take_changes(self, names: set[str], now: float) -> bool:
        """Add the names whose files have changed; returns whether the Emperor has news."""
        stirred = False
        for change in self._changes.take():
            if change.path.parent == self._paths.vassals:
                self._take_file(change, names, now)
            elif change.path.suffix in {_HEALTH, _DRAIN}:
                name = change.path.stem
                if change.path.suffix == _DRAIN or self._health.changed(name):
                    names.add(name)
            else:
                is_in_run = change.path.parent == self._paths.run
                stirred |= not is_in_run or change.path == self._paths.emperor_stats
        return stirred

    def _take_file(self, change: Change, names: set[str], now: float) -> None:
        name = vassal_files.act_of(change.path.name)
        if not name:
            return
        if not vassal_files.is_there(self._act(name).vassal):
            self._files.put(name, now + _GRACE)
        elif change.complete:
            names.add(name)
        else:
            self._await_writer(name)

    def _look_for_more(self, names: set[str], now: float) -> bool:
        """Look for unreported changes; returns whether the Emperor has news."""
        if now >= self._search_at or not self._changes.is_reliable:
            self._search_at = now + _SEARCH
            names |= self._edits.unsettled(self._paths) - self._writing
            self._forget_retired(names)
        names |= self._history.others_than(_QUIET)
        if now >= self._round_at:
            self._round_at = now + _STEP
            names |= self._strange()
        said = log_files.size(self._paths.emperor_log)
        stirred = said != self._said or self._survey.emperor.pid != self._emperor_pid
        # A halted Emperor has nothing to say, and gives no sign of it.
        stirred |= self._survey.emperor.halt != self._halt
        self._said = said
        return stirred

    def _forget_retired(self, changed: Collection[str]) -> None:
        """Forget the Acts that are no more; `changed` are those about which there is news."""
        stopped = {name for name, state in self._history.states() if state is State.STOPPED}
        for name in stopped - self._survey.names() - {*changed}:
            for part in (self._history, self._edits, self._reasons, self._health, self._paths):
                part.forget(name)
            for timers in (self._timers, self._files):
                timers.drop(name)
            self._overdue.pop(name, None)

    def _strange(self) -> set[str]:
        """Those of the next few running Acts whose state or file has changed."""
        if not self._round:
            lasting = sorted(name for name, state in self._history.states() if state in LASTING)
            few = math.ceil(len(lasting) * _STEP / _ROUND)
            self._round = [lasting[at : at + few] for at in range(0, len(lasting), few or 1)]
        names = self._round.pop(0) if self._round else []
        looks = self._survey.glance_at(names, self._known).values()
        return {
            look.name
            for look in looks
            if look.unsure
            or _is_overdue(look)
            or look.state is not self._history.last(look.name).state
            or self._reasons.is_halted_anew(look)
        }

    # Looking at Acts

    def _look_at(self, names: set[str]) -> None:
        again = {name: pause for name in names if (pause := self._settle(name))}
        if again and (known := self._survey.emperor.stats()):
            # These stats predate the Emperor's look at the file; the next ones follow it.
            for name in again:
                self._edits.confirm(self._act(name), known)
        before, self._known = self._known, self._survey.emperor.stats()
        self._follow_emperor()
        names |= _changed(before, self._known)
        if (before is None) != (self._known is None):
            names |= self._survey.names()
        for look in self._survey.glance_at(names, self._known).values():
            self._note(look)
        for name, pause in again.items():
            self._files.put(name, time.monotonic() + pause)

    def _settle(self, name: str) -> float:
        """Deal with a changed vassal file; returns when to look once more, in seconds, or 0."""
        act = self._act(name)
        in_place = name in self._writing
        self._writing.discard(name)
        if not self._edits.is_new(act):
            return 0
        if vassal_files.is_being_written(act):
            self._await_writer(name)
            return 0
        edit = self._edits.settle(act, self._known, in_place=in_place)
        self._reasons.edited(name, edit)
        return _LATER if edit.short else _AGAIN

    def _await_writer(self, name: str) -> None:
        self._writing.add(name)
        self._files.put(name, time.monotonic() + min(_WRITING, self._changes.interval))

    def _note(self, look: Look) -> None:
        look = self._health.completed(self._pending.answered(look))
        last = self._history.last(look.name)
        state = look.state
        if look.unsure:
            again = self._pending.ask(look)
            if again is not None:
                self._timers.put(look.name, again)
            state = State.STARTING if last.state in _NOT_THERE else last.state
        elif self._health.attend(look):
            # It answers its port; whether it answers well is not known yet.
            state = last.state if last.state in _BEFORE else _before_running(look)
        if state is State.STARTING and _is_reload(look, last):
            state = State.RELOADING
        if state is State.RELOADING and (edit := self._edits.pending(self._act(look.name))):
            # The Emperor noticed the change before we did.
            self._reasons.edited(look.name, edit)
        if state is State.STARTING and last.pid and not processes.alive(last.pid):
            # It may have died after the last wakeup was read.
            self._reasons.ended(look.name, last.pid)
        now = _moment(look, state, self._reasons.remark(look))
        if state in EXPLAINED or self._history.is_change(look.name, now):
            now = replace(now, reason=self._reasons.reason(look, state, last.state))
        elif state in LASTING and not look.unsure:
            self._reasons.calm(look.name)
        for event in self._history.note(look.name, now, time.time()):
            self._tell(self._authors.signed(event))
        self._follow(look)
        giving_up.note(self._act(look.name), look, now.reason)
        if state in PASSING and look.state not in ANSWERING:
            self._timers.repeat(look.name, time.monotonic())
        elif not look.unsure:
            self._timers.drop(look.name)
        self._see_that_it_loads(look)

    def _see_that_it_loads(self, look: Look) -> None:
        """Have an accepted edit loaded that the Act does not run with: a request may be lost."""
        act, now = self._act(look.name), time.monotonic()
        if not _is_overdue(look) or self._edits.is_new(act):
            self._overdue.pop(look.name, None)
            return
        if now >= self._overdue.setdefault(look.name, now + _LOADED):
            self._overdue[look.name] = now + _LOADED
            self._edits.load_again(act, self._known)
        self._timers.put(look.name, self._overdue[look.name])

    def _follow(self, look: Look) -> None:
        for pid in look.pids:
            self._wakeups.watch_end(pid, look.name)

    def _follow_emperor(self) -> None:
        self._halt = None if self._known else self._survey.emperor.halt
        self._emperor_pid = self._known.pid if self._known else self._survey.emperor.pid
        if self._emperor_pid:
            self._wakeups.watch_end(self._emperor_pid, _EMPEROR)

    def _act(self, name: str) -> ActPaths:
        return self._paths.act(name)


def _is_reload(look: Look, last: Moment) -> bool:
    """Whether a starting Act only loads its files again: a reload lasts until it answers or fails.

    Of one that the vassal was told itself, the Emperor knows nothing, but its record is withdrawn.
    """
    is_told = last.state in ANSWERING and look.loaded != last.loaded
    return last.pid == look.pid and (last.state is State.RELOADING or is_told)


def _is_overdue(look: Look) -> bool:
    """Whether the Act runs, but not with its vassal file as it is."""
    return bool(look.untaken and look.untaken.is_own and look.state in ANSWERING)


def _before_running(look: Look) -> State:
    return look.seen.vassal.on_its_way if look.seen.vassal else State.STARTING


def _moment(look: Look, state: State, remark: str = "") -> Moment:
    reloads = look.seen.vassal.respawns if look.seen.vassal else 0
    workers = frozenset(look.workers)
    return Moment(state, look.pid, reloads, remark=remark, workers=workers, loaded=look.loaded)


def _changed(before: EmperorStats | None, now: EmperorStats | None) -> set[str]:
    """The names with new facts in the Emperor's stats."""
    changed: set[str] = set()
    for told, tells in (
        (before.vassals if before else {}, now.vassals if now else {}),
        (before.blacklist if before else {}, now.blacklist if now else {}),
    ):
        changed |= {
            file for file in told.keys() | tells.keys() if told.get(file) != tells.get(file)
        }
    return {vassal_files.act_of(file) for file in changed} - {""}
