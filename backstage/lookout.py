"""What is seen of an Act from outside, and waiting until something is seen."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import dataclass

from . import files, logs, processes, reasons, stats
from .deadlines import Deadline, until
from .emperor import Emperor
from .errors import ActFailed, NotInTime
from .paths import ActPaths
from .probes import Probe, answers
from .states import Sighting, State, Vassal, judge
from .vassal import Address, VassalFile

# A reload that uWSGI was too busy starting to notice is asked for again after this many seconds.
_RELOAD_PATIENCE = 3.0
# Whether a starting Act has failed instead is asked this often, in seconds; asking is not free.
_FAILURE_CHECK = 0.1
_TENDING = 0.01
_TAIL = 40


@dataclass(frozen=True)
class Look:
    """One look at an Act; `pid` is that of its master process."""

    state: State
    pid: int | None
    address: Address | None


@dataclass(frozen=True)
class LogMark:
    """How long the Act's log and the Emperor's were, in bytes, when something began."""

    own: int
    emperors: int


class Lookout:
    """Looks at one Act: its vassal file, the Emperor's word, its processes and its port."""

    def __init__(self, paths: ActPaths, emperor: Emperor) -> None:
        self._paths = paths
        self._emperor = emperor

    def address(self) -> Address | None:
        """Where the Act is bound, by its vassal file, the kept one while it is stopped."""
        for path in (self._paths.vassal, self._paths.kept):
            try:
                text = path.read_text(encoding="utf-8", errors="replace")
            except FileNotFoundError:
                continue
            return VassalFile(self._paths.name, text).address
        return None

    def look(self, answered: bool | None = None) -> Look:
        """Judge from one look; where `answered` is given, the port is not asked again."""
        seen = self._emperor.stats()
        vassal = seen.vassals.get(self._paths.vassal.name) if seen else None
        penalty = seen.blacklist.get(self._paths.vassal.name) if seen else None
        address = self.address()
        if answered is None and vassal and address:
            answered = answers(address)
        state = judge(
            Sighting(
                wanted=self._paths.vassal.exists(),
                emperor=seen is not None,
                vassal=vassal,
                penalty=penalty,
                answers=answered if address else None,
            )
        )
        return Look(state, vassal.pid if vassal and vassal.pid > 0 else None, address)

    def listed(self) -> bool:
        """Whether the Emperor has a vassal for the Act."""
        return self._entry() is not None

    def members(self) -> list[processes.Process]:
        """The Act's processes, its master first; empty where the Emperor has none."""
        entry = self._entry()
        return processes.family(entry.pid) if entry and entry.pid > 0 else []

    def log_from_here(self) -> LogMark:
        """A mark, so that only what is logged from now on counts as a reason."""
        return LogMark(logs.size(self._paths.log), logs.size(self._paths.venue.emperor_log))

    def await_state(self, state: State, deadline: Deadline) -> None:
        """Return as soon as the Act is in a state. Raises NotInTime."""
        if not until(lambda: self.look().state is state, deadline, pause=0.02):
            raise self._late(f"is not {state} yet but {self.look().state}", self.log_from_here())

    def await_running(self, deadline: Deadline, log: LogMark) -> None:
        """Return as soon as the Act answers. Raises NotInTime, or ActFailed when it has failed."""
        address = self.address()
        if address is None:
            self._await_accepting(deadline, log)
            return
        check = Deadline(_FAILURE_CHECK)
        with closing(Probe(address)) as probe:
            while not deadline.expired:
                if probe.answered(wait=min(_FAILURE_CHECK, deadline.remaining)):
                    if self.look(answered=True).state is State.RUNNING:
                        return
                    probe.close()
                if check.expired:
                    self._refuse_failing(log)
                    check = Deadline(_FAILURE_CHECK)
                if not probe.asking:
                    time.sleep(0.002)
        raise self._late(f"does not answer on port {address.port} yet", log)

    def await_renewal(self, moment: float, deadline: Deadline, log: LogMark) -> None:
        """Return when every worker began after `moment`; a lost reload is asked for again.

        Raises NotInTime, or ActFailed when the Act has failed.
        """
        patience = Deadline(_RELOAD_PATIENCE)
        while not deadline.expired:
            if self._renewed(moment):
                return
            self._refuse_failing(log)
            if patience.expired:
                files.touch_vassal(self._paths.vassal)
                patience = Deadline(_RELOAD_PATIENCE)
            time.sleep(_TENDING)
        raise self._late("has not been restarted yet", log)

    def await_end(self, members: list[processes.Process], deadline: Deadline) -> None:
        """Return when the Emperor has forgotten the Act and none of `members` is left.

        Children that outlive their master are killed. Raises NotInTime.
        """

        def ended() -> bool:
            left = processes.running(members)
            if left and left[0] != members[0]:
                processes.insist(left, Deadline(1.0))
            elif left:
                processes.dismiss_lonely(members)
            return not left and not self.listed()

        if not until(ended, deadline, pause=_TENDING):
            pids = ", ".join(str(process.pid) for process in processes.running(members))
            raise self._late(f"has not ended yet (processes {pids})", self.log_from_here())

    def _entry(self) -> Vassal | None:
        seen = self._emperor.stats()
        return seen.vassals.get(self._paths.vassal.name) if seen else None

    def _renewed(self, moment: float) -> bool:
        workers = stats.read_workers(self._paths.stats, timeout=0.05)
        if workers is None:
            # No stats to ask: a vassal without workers of uWSGI's is renewed with its master.
            pid = self.look(answered=False).pid
            return pid is not None and processes.started_after(pid, moment)
        return all(
            worker.accepting and processes.started_after(worker.pid, moment) for worker in workers
        )

    def _await_accepting(self, deadline: Deadline, log: LogMark) -> None:
        while not deadline.expired:
            if self.look().state is State.RUNNING:
                return
            self._refuse_failing(log)
            time.sleep(0.02)
        raise self._late("does not run yet", log)

    def _refuse_failing(self, log: LogMark) -> None:
        seen = self.look(answered=False)
        if seen.state is State.FAILING and seen.pid is None:
            said = self._said_since(log)
            raise ActFailed(
                self._paths.name, "is failing", reasons.reason_from(said), _last_lines(said)
            )

    def _said_since(self, log: LogMark) -> str:
        own = logs.tail(self._paths.log, 200, since=log.own)
        emperors = logs.tail(self._paths.venue.emperor_log, 200, since=log.emperors)
        # What goes wrong before a vassal opens its own log is told in the Emperor's.
        return own if reasons.reason_from(own) else f"{emperors}\n{own}".strip()

    def _late(self, message: str, log: LogMark) -> NotInTime:
        return NotInTime(self._paths.name, message, log_tail=_last_lines(self._said_since(log)))


def _last_lines(text: str) -> str:
    return "\n".join(text.splitlines()[-_TAIL:])
