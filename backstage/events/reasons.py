"""Explains each change of an Act in one line, from what an observer has gathered."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from ..facts.sightings import Halt
from ..facts.states import ANSWERING, State
from ..layout.paths import VenuePaths
from ..status.evidence import gather, log_mark
from ..status.explanation import why
from ..status.failures import why_ended
from ..status.survey import Look
from ..system.deadlines import Deadline
from ..uwsgi import stats, tries

if TYPE_CHECKING:
    from .edits import Edit

# How long to wait for a master to log why a process died, in seconds …
_WORDS = 0.08
# … which it does when asked for its stats, and otherwise once a second.
_PAUSE = 0.002


class Reasons:
    """Gathers what happens to the Acts of a Venue, to explain their states."""

    def __init__(self, venue_paths: VenuePaths) -> None:
        self._paths = venue_paths
        self._ended: dict[str, list[int]] = {}
        self._edits: dict[str, Edit] = {}
        self._failures: dict[str, tuple[int, str]] = {}
        self._halts: dict[str, Halt | None] = {}
        self._drained: set[str] = set()

    def begin(self, look: Look) -> None:
        """Take a look as the starting point: what it shows is no news."""
        if look.draining:
            self._drained.add(look.name)

    def forget(self, name: str) -> None:
        """Forget an Act that was retired."""
        for known in (self._ended, self._edits, self._failures, self._halts):
            known.pop(name, None)
        self._drained.discard(name)

    def ended(self, name: str, pid: int) -> None:
        """A process of the Act has ended."""
        ended = self._ended.setdefault(name, [])
        if pid not in ended:
            ended.append(pid)

    def calm(self, name: str) -> None:
        """Forget the ended processes: the Act keeps running."""
        self._ended.pop(name, None)

    def edited(self, name: str, edit: Edit) -> None:
        """The Act's vassal file has changed."""
        known = self._edits.get(name)
        # Another process that watches may date the same edit once more before it is told.
        if edit.change or edit.refused or not (known and known.change):
            self._edits[name] = edit

    def remark(self, look: Look) -> str:
        """What is news although the state is not, reported once.

        A refused edit, a halted master, draining. The Emperor, if it is halted, is news for each
        Act.
        """
        if look.halt != self._halts.get(look.name):
            self._halts[look.name] = look.halt
            # A failing Act tells it as its reason.
            if look.halt and look.state is not State.FAILING:
                return str(look.halt)
        if look.draining is not (look.name in self._drained):
            self._drained ^= {look.name}
            if look.state in ANSWERING:
                return "draining" if look.draining else "no longer draining"
        return self._refusal(look.name)

    def is_halted_anew(self, look: Look) -> bool:
        """Whether a halt, or the end of one, has not been reported yet."""
        return look.halt != self._halts.get(look.name)

    def _refusal(self, name: str) -> str:
        edit = self._edits.get(name)
        if edit is None or not edit.refused:
            return ""
        del self._edits[name]
        return f"edit refused, keeps running as before: {edit.refused}"

    def reason(self, look: Look, state: State, before: State) -> str:
        """Why the Act is in `state`."""
        if state is not State.FAILING:
            self._failures.pop(look.name, None)
        if state is State.UNHEALTHY and look.health:
            return look.health.why
        if state is State.FAILING:
            return self._failure(look)
        ended = self._ended.pop(look.name, [])
        if state is not before:
            return self._reason(look, state, before, ended)
        if look.name in self._edits:
            # The reload has begun and ended since the last look.
            return self._reload(look.name)
        return self._death(look.name, ended) if ended else ""

    def _reason(self, look: Look, state: State, before: State, ended: list[int]) -> str:
        if state is State.RELOADING:
            return self._reload(look.name)
        self._edits.pop(look.name, None)
        if state is State.STARTING:
            return self._start(look, before, ended)
        if state is State.RUNNING:
            return f"answers on port {look.address.port}" if look.address else ""
        if state in {State.STOPPING, State.STOPPED} and not look.seen.wanted:
            given_up = tries.given_up(self._paths.act(look.name))
            return given_up or ("its vassal file was removed" if state is State.STOPPING else "")
        return {
            State.WAITING: "there is no Emperor",
            State.SLEEPING: "wakes on a request",
        }.get(state, "")

    def _reload(self, name: str) -> str:
        edit = self._edits.pop(name, None)
        if edit is None:
            return "told to reload"
        return f"changed: {edit.change}" if edit.change else "its vassal file was touched"

    def _start(self, look: Look, before: State, ended: list[int]) -> str:
        if before is State.STOPPED:
            return "its vassal file was added"
        if before is State.WAITING:
            return "the Emperor was started"
        if before is State.FAILING:
            return f"attempt {_attempts(look) + 1}"
        return self._death(look.name, ended) if ended else ""

    def _death(self, name: str, pids: list[int]) -> str:
        act_paths = self._paths.act(name)
        told, read = "", None
        deadline = Deadline(_WORDS)
        while not told and not deadline.expired:
            mark = log_mark(act_paths)
            if mark != read:
                told, read = why_ended(gather(act_paths), pids), mark
            else:
                stats.read_vassals([act_paths.stats], _PAUSE)
                time.sleep(_PAUSE)
        return told or f"process {', '.join(map(str, pids))} has ended"

    def _failure(self, look: Look) -> str:
        attempts, known = self._failures.get(look.name, (-1, ""))
        if attempts != _attempts(look) or not known:
            known = why(self._paths.act(look.name), look)
            self._failures[look.name] = (_attempts(look), known)
        return known


def _attempts(look: Look) -> int:
    return look.seen.penalty.attempts if look.seen.penalty else 0
