"""Asking the Acts of a Venue for their health again and again, in the background."""

from __future__ import annotations

import math
import random
import time

from ..errors import BackstageError
from ..facts.health import Generation, HealthCheck, HealthRecord
from ..layout.paths import VenuePaths
from ..layout.settings import Settings, readable_settings
from ..status import health_records
from ..status.inquiries import Inquiry, inquire, question_for
from ..status.survey import Look
from ..system import processes
from ..system.wakeups import Wakeups
from ..uwsgi import vassal_files

# A well Act is asked again after so many seconds. Acts are asked together, at multiples of …
_USUAL, _BEAT = 30.0, 5.0
# … and up to so many seconds, other ones in each process: those who come later find the answer.
_LAG = 2.0
# An ailing Act is asked again after so many seconds, then after twice as many, and so on.
_SOON = 2.0
# How long to wait for an exception to be logged, in seconds.
_FOR_LOG = 0.05
# What an Act can bring about by its files, its owner among them: the others are asked all the same.
_ITS_OWN_TROUBLE = (BackstageError, OSError, KeyError)
# Ends the names under which answers wake the observer; no Act's name has such a character.
_MARK = "?"


class HealthRounds:
    """Asks Acts for their health; answers arrive through `wakeups`, by names that `is_answer`."""

    def __init__(self, venue_paths: VenuePaths, wakeups: Wakeups) -> None:
        self._paths = venue_paths
        self._wakeups = wakeups
        self._lag = random.uniform(0, _LAG)
        self._looks: dict[str, Look] = {}
        self._records: dict[str, HealthRecord] = {}
        # The health checks and what they follow from: to find one, all includes are read.
        self._checks: dict[str, tuple[object, HealthCheck]] = {}
        # The processes that have no health check.
        self._unasked: dict[str, Generation] = {}
        self._asked: dict[str, Inquiry] = {}
        self._due: dict[str, float] = {}
        self._pauses: dict[str, float] = {}
        # When no answer can come any more.
        self._late: dict[str, float] = {}

    @staticmethod
    def is_answer(name: str) -> bool:
        """Whether a name that woke the observer stands for more of an answer."""
        return name.endswith(_MARK)

    def pause(self, now: float) -> float:
        """Seconds until an Act has to be asked, or its time to answer is over."""
        moments = (*self._due.values(), *self._late.values())
        return max(0.0, min(moments, default=math.inf) - now)

    def completed(self, look: Look) -> Look:
        """The look, with what the Act said here if that could not be written down."""
        record = self._records.get(look.name)
        if look.health or look.draining or not record:
            return look
        return look.told(record) if record.generation.lasts(look.generation) else look

    def attend(self, look: Look) -> bool:
        """Take note of a look, and ask the Act when it is time.

        Returns whether its state has to wait for the answer.
        """
        name = look.name
        self._looks[name] = look
        if not look.may_be_asked:
            self._forget(name)
            return False
        if look.health is None and self._unasked.get(name) == look.generation:
            return False
        if name in self._asked:
            return look.health is None
        if look.health is None:
            return self._ask(name, readable_settings(self._paths.settings), look.noted)
        if name not in self._due and not look.may_sleep:
            self._put(name, look.health)
        return False

    def step(self, woken: set[str], now: float) -> set[str]:
        """Ask whoever is due, and read the answers that `woken` stands for.

        Returns the Acts that say something else than before.
        """
        due = {name for name, moment in self._due.items() if moment <= now}
        settings = readable_settings(self._paths.settings) if due else None
        for name in due:
            del self._due[name]
            noted = health_records.read(self._paths.act(name), self._looks[name].generation)
            if not self._is_told(name, noted):
                self._ask(name, settings, noted)
        late = {name for name, moment in self._late.items() if moment <= now}
        heard = {name.removesuffix(_MARK) for name in woken} | late
        return {name for name in heard if self._hear(name)}

    def forget(self, name: str) -> None:
        """Forget an Act that was retired."""
        self._forget(name)
        self._looks.pop(name, None)

    def changed(self, name: str) -> bool:
        """Whether another process has written down that an Act says something else than before."""
        look = self._looks.get(name)
        if look is None:
            return False
        noted = health_records.read(self._paths.act(name), look.generation)
        if noted is None or not noted.generation.lasts(look.generation):
            return False
        return look.health is None or noted.ok is not look.health.ok

    def close(self) -> None:
        """Close all questions."""
        for name in list(self._asked):
            self._drop(name)

    def _is_told(self, name: str, noted: HealthRecord | None) -> bool:
        """Whether another process has just heard that an Act is well; if so, puts asking off."""
        if not noted or not noted.ok or processes.boot_clock() - noted.at > _USUAL / 2:
            return False
        if not noted.generation.lasts(self._looks[name].generation):
            return False
        self._put(name, noted)
        return True

    def _ask(self, name: str, settings: Settings | None, noted: HealthRecord | None) -> bool:
        look, act = self._looks[name], self._paths.act(name)
        try:
            check = self._check(name, settings)
            inquiry = inquire(act, check, look.generation, noted)
        except _ITS_OWN_TROUBLE:
            inquiry = None
        if inquiry is None:
            self._put_off(name)
            return False
        self._unasked.pop(name, None)
        self._asked[name] = inquiry
        self._late[name] = time.monotonic() + check.timeout
        if inquiry.fileno() >= 0:
            self._wakeups.watch(inquiry, name + _MARK)
        else:
            self._late[name] = 0.0
        return look.health is None

    def _check(self, name: str, settings: Settings | None) -> HealthCheck:
        """The Act's health check; that of an edited include counts when the Act has loaded it."""
        act = self._paths.act(name)
        facts = vassal_files.version(act), settings, self._looks[name].generation
        known = self._checks.get(name)
        if known and known[0] == facts:
            return known[1]
        check = question_for(act, settings)
        self._checks[name] = facts, check
        return check

    def _hear(self, name: str) -> bool:
        """Read what an Act says; return whether that is news."""
        inquiry = self._asked.get(name)
        if inquiry is None:
            return False
        self._wakeups.unwatch(inquiry)
        try:
            record = inquiry.record(0, for_log=_FOR_LOG)
        except _ITS_OWN_TROUBLE:
            self._drop(name)
            self._put_off(name)
            return self._looks[name].health is None
        if record is None:
            self._wakeups.watch(inquiry, name + _MARK)
            return False
        self._drop(name)
        look = self._looks[name]
        before = look.health
        self._looks[name] = look.told(record)
        self._records[name] = record
        if not record.ok or not look.may_sleep:
            self._put(name, record)
        return before is None or (before.ok, before.why) != (record.ok, record.why)

    def _put_off(self, name: str) -> None:
        """Count an Act as not to be asked; it may get a health check later."""
        self._due[name] = time.monotonic() + _USUAL
        self._unasked[name] = self._looks[name].generation

    def _put(self, name: str, record: HealthRecord) -> None:
        """Set when to ask the Act again."""
        age = max(0.0, processes.boot_clock() - record.at)
        if record.ok:
            self._pauses.pop(name, None)
            moment = time.monotonic() + max(0.0, _USUAL - age)
            self._due[name] = round((moment - self._lag) / _BEAT) * _BEAT + self._lag
            return
        pause = self._pauses.get(name, _SOON)
        self._pauses[name] = min(2 * pause, _USUAL)
        self._due[name] = time.monotonic() + max(0.0, pause - age)

    def _forget(self, name: str) -> None:
        self._drop(name)
        for known in (self._due, self._pauses, self._records, self._unasked, self._checks):
            known.pop(name, None)

    def _drop(self, name: str) -> None:
        self._late.pop(name, None)
        if inquiry := self._asked.pop(name, None):
            self._wakeups.unwatch(inquiry)
            inquiry.close()
