"""An Act of another user's Venue, for a member of the group that it is shared with."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

from ..act import Act
from ..batches import Verb
from ..errors import NoSuchAct, NotInTime, PortUnavailable
from ..events.streams import Broadcast
from ..facts.snapshots import Snapshot
from ..facts.states import State
from ..layout.paths import ActPaths
from ..logs.source import LogLine
from ..projects.env_file import EnvFile
from ..system.deadlines import Deadline
from . import terms
from .calls import Calls
from .requests import Ask


class SharedAct(Act):
    """An Act about which the watcher of its Venue is asked."""

    def __init__(self, act_paths: ActPaths, calls: Calls, broadcast: Broadcast) -> None:
        self.paths = act_paths
        self._calls = calls
        self._broadcast = broadcast

    def __repr__(self) -> str:
        return f"<Act {self.snapshot()}>"

    @property
    def state(self) -> State:
        return self.snapshot().state

    @property
    def pid(self) -> int | None:
        return self.snapshot().pid

    @property
    def wanted(self) -> bool:
        return self.state is not State.STOPPED

    def get_uwsgi_port(self) -> int:
        port = self.snapshot().port
        if port is None:
            raise PortUnavailable(f"the vassal file of Act {self.name!r} names no TCP port")
        return port

    @property
    def env(self) -> EnvFile:
        return self._refuse()

    @property
    def vassal_text(self) -> str:
        return self._refuse()

    def log_tail(self, lines: int = 20) -> str:
        found = self._calls.ask_now(LogLine, Ask.LOGS, most=lines, names=(self.name,), lines=lines)
        return "\n".join(line.text for line in found)

    def start(self, wait: float | None = 30.0) -> None:
        self._tell(Verb.START, wait)

    def begin(self, wait: float | None = 30.0) -> None:
        self._refuse()

    def stop(self, wait: float | None = 30.0, *, drain: float = 0.0) -> None:
        self._tell(Verb.STOP, wait, drain=drain)

    def drain(self, wait: float | None = 30.0) -> None:
        self._tell(Verb.DRAIN, wait)

    def undrain(self) -> None:
        self._tell(Verb.UNDRAIN, None)

    def restart(self, wait: float | None = 30.0, *, check: bool = True) -> None:
        self._tell(Verb.RESTART, wait, check=check)

    def try_out(self, wait: float | None = 30.0) -> None:
        self._refuse()

    def check(self, text: str) -> None:
        self._refuse()

    def rewrite(
        self, text: str, *, based_on: str, wait: float | None = 30.0, check: bool = True
    ) -> tuple[str, ...]:
        return self._refuse()

    def wait(self, state: State | str, timeout: float = 30.0) -> None:
        goal, deadline = State(state), Deadline(timeout)
        with self._broadcast.listen() as events:
            while (seen := self.state) is not goal:
                if deadline.expired:
                    raise NotInTime(self.name, f"is not {goal} yet, but {seen}")
                events.next_within(deadline.remaining)

    def snapshot(self) -> Snapshot:
        known = {now.name: now for now in self._calls.overview().acts}
        if self.name not in known:
            raise NoSuchAct(self.name, self.paths.venue.top, tuple(known))
        return known[self.name]

    def retire(self) -> Path:
        return self._refuse()

    def manage(self, *arguments: str) -> str:
        return self._refuse()

    def manage_here(self, *arguments: str) -> int:
        return self._refuse()

    def _tell(
        self, verb: Verb, wait: float | None, *, drain: float = 0.0, check: bool = True
    ) -> None:
        for outcome in self._calls.each(verb, (self.name,), wait, drain=drain, check=check):
            if outcome.error:
                raise outcome.error

    def _refuse(self) -> NoReturn:
        raise terms.refusal(self.paths.venue)
