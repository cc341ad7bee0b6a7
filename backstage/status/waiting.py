"""Waiting until an Act reaches a state."""

from __future__ import annotations

import time
from contextlib import closing, suppress

from ..errors import ActFailed, NotInTime
from ..facts.health import HealthCheck, HealthRecord
from ..facts.sightings import Vassal
from ..facts.states import ANSWERING, State
from ..kinds.judging import could_answer
from ..kinds.wsgi import DEATHS
from ..layout.paths import ActPaths
from ..system import processes
from ..system.deadlines import Deadline, until
from ..uwsgi import questions, reloading, stats, vassal_files
from ..uwsgi.ini import Address
from ..uwsgi.log_reasons import dead_while_loading
from ..uwsgi.probes import Probe
from .evidence import BEGINNING, Evidence, LogMark, gather, log_mark
from .failures import why_failing
from .inquiries import inquire, question_for
from .survey import Look, Survey

# A reload that uWSGI missed, busy starting, is requested again after this many seconds.
_RELOAD_PATIENCE = 3.0
# How often to check whether a starting Act has failed, in seconds; a check is not free.
_FAILURE_CHECK = 0.1
_TENDING = 0.01
# An Act whose health check fails gets so many seconds to get well, as while a database starts …
_GRACE = 2.0
# … and is asked again after so many, then after twice as many, and so on.
_FIRST_PAUSE, _LAST_PAUSE = 0.05, 0.5
# How long to wait for the Emperor, which may be halted, in seconds.
_NOTICE = 1.0
_TAIL = 40


class Waiter:
    """Waits for one Act until it reaches the requested state."""

    def __init__(self, act_paths: ActPaths, survey: Survey) -> None:
        self._paths = act_paths
        self._survey = survey
        self._emperor = survey.emperor

    def look(self) -> Look:
        """One look at the Act."""
        return self._survey.look(self._paths.name)

    def glance(self) -> Look:
        """A look without probing the port."""
        name = self._paths.name
        return self._survey.glance_at([name], self._emperor.stats())[name]

    def address(self) -> Address | None:
        """The address in the Act's vassal file, or in the kept one while it is stopped."""
        file = vassal_files.load(self._paths)
        return file.address if file else None

    def entry(self) -> Vassal | None:
        """The Emperor's report on the Act; None if it has no vassal for it."""
        seen = self._emperor.stats()
        return seen.vassals.get(self._paths.vassal.name) if seen else None

    def listed(self) -> bool:
        """Whether the Emperor has a vassal for the Act."""
        return self.entry() is not None

    def members(self) -> list[processes.Process]:
        """The Act's processes, its master first; empty if the Emperor has none."""
        entry = self.entry()
        return processes.family(entry.pid) if entry and entry.pid > 0 else []

    def await_running(self, deadline: Deadline, log: LogMark) -> None:
        """Return as soon as the Act answers, or takes requests and has a health check.

        Raises NotInTime, or ActFailed when it has failed.
        """
        address = self.address()
        if address is None:
            self._await_accepting(deadline, log)
            return
        check = Deadline(_FAILURE_CHECK)
        with closing(Probe(address)) as probe:
            while not deadline.expired:
                answers = probe.answered(wait=min(_FAILURE_CHECK, deadline.remaining))
                # An application that raises gives no answer; the health check says why.
                if answers or (probe.hung_up and self._check()):
                    if self._answers_itself(self.glance()):
                        return
                    probe.close()
                if check.expired:
                    self._refuse_failing(log)
                    check = Deadline(_FAILURE_CHECK)
                if not probe.asking:
                    time.sleep(0.002)
        raise self._late(f"does not answer on port {address.port} yet", log)

    def await_health(self, deadline: Deadline, log: LogMark) -> None:
        """Return as soon as the Act's health check is passed, or if it has none to be asked.

        Raises ActFailed if it still is not after a while, NotInTime if it does not answer in time.
        """
        check = self._check()
        grace, pause = Deadline(_GRACE), _FIRST_PAUSE
        while check and not deadline.expired:
            look = self.glance()
            if look.draining:
                return
            record = self._ask(look, check, deadline) if look.state in ANSWERING else None
            if record and record.ok:
                return
            if record and grace.expired:
                tail = _last_lines(gather(self._paths, log))
                raise ActFailed(self._paths.name, "does not answer well", record.why, tail)
            self._refuse_failing(log)
            time.sleep(pause)
            pause = min(2 * pause, _LAST_PAUSE)
        if check:
            raise self._late("does not answer well yet", log)

    def _check(self) -> HealthCheck | None:
        """The Act's health check; None if it has none, or can be asked nowhere."""
        check = question_for(self._paths)
        return check if check and questions.is_askable(self._paths, check) else None

    def _ask(self, look: Look, check: HealthCheck, deadline: Deadline) -> HealthRecord | None:
        inquiry = inquire(self._paths, check, *look.told_by)
        if inquiry is None:
            return None
        with closing(inquiry):
            while not deadline.expired:
                wait = min(_FAILURE_CHECK, deadline.remaining)
                if record := inquiry.record(wait, for_log=_FAILURE_CHECK):
                    return record
                if self.glance().state not in ANSWERING:
                    return None
        return None

    def await_renewal(self, moment: float, deadline: Deadline, log: LogMark) -> None:
        """Return when every worker began after `moment`; a lost reload is requested again.

        Raises NotInTime, or ActFailed when the Act has failed.
        """
        patience = Deadline(_RELOAD_PATIENCE)
        while not deadline.expired:
            if self._renewed(moment):
                return
            # uWSGI kills old workers that are halted.
            self._refuse_failing(log, replaces_workers=True)
            if patience.expired and self._is_as_before(moment):
                with suppress(FileNotFoundError):
                    reloading.reload(self._paths, self.entry())
                patience = Deadline(_RELOAD_PATIENCE)
            time.sleep(_TENDING)
        raise self._late("has not been restarted yet", log)

    def workers(self) -> int:
        """How many workers answer; 0 if some are not running, or the master does not say."""
        master = self._master()
        if master is None or not all(worker.accepting for worker in master.workers):
            return 0
        return len(master.workers)

    def await_notice(self) -> None:
        """Return when the Emperor has noticed that the vassal file is gone, after milliseconds.

        From then on the Act ends, even if the file returns. If it returned sooner, the Emperor
        would only see a touched file.
        """
        until(self._has_noticed, Deadline(_NOTICE), pause=0)

    def refuse_halted(self) -> None:
        """Raise ActFailed if a signal has halted the Act's master, which then cannot reload."""
        if halt := self.glance().halt:
            raise ActFailed(self._paths.name, "cannot be restarted", str(halt))

    def await_end(
        self, members: list[processes.Process], deadline: Deadline, *, returning: bool = False
    ) -> None:
        """Return when the Emperor has forgotten the Act and none of `members` is left.

        The Emperor may have started a `returning` Act anew by then. Children that outlive their
        master are killed. Raises NotInTime.
        """

        def ended() -> bool:
            nonlocal members
            members = processes.completed(members)
            left = processes.running(members)
            if left and left[0] != members[0]:
                processes.kill_remaining(left, Deadline(1.0))
            elif left:
                processes.wake_lone_master(members)
            return not left and (returning or not self.listed())

        if not until(ended, deadline, pause=_TENDING):
            pids = ", ".join(str(process.pid) for process in processes.running(members))
            raise self._late(f"has not ended yet (processes {pids})", log_mark(self._paths))

    def _answers_itself(self, look: Look) -> bool:
        """Whether it was the Act that has answered, not another program at its address."""
        answers = look.asked(answers=True).state in ANSWERING
        return answers and could_answer(look.seen, look.kind)

    def _has_noticed(self) -> bool:
        entry = self.entry()
        return entry is None or entry.cursed

    def _master(self) -> stats.VassalStats | None:
        """The master's report; None if it does not answer at once."""
        return stats.read_vassals([self._paths.stats], timeout=0.05).get(self._paths.stats)

    def _renewed(self, moment: float) -> bool:
        master = self._master()
        if master is None:
            return self._begun_anew(moment)
        called = [worker for worker in master.workers if not worker.cheap]
        if not called:
            # Workers start with the next request, and load the new code.
            return self._has_acted()
        return all(
            worker.accepting and processes.started_after(worker.pid, moment) for worker in called
        )

    def _has_acted(self) -> bool:
        """Whether the Emperor has acted on the vassal file's present mtime."""
        entry, version = self.entry(), vassal_files.version(self._paths)
        return bool(entry and version and entry.last_mod >= version.second)

    def _is_as_before(self, moment: float) -> bool:
        """Whether no child of the master began after `moment`. New workers may load for long."""
        children = self.members()[1:]
        return bool(children) and not any(
            processes.started_after(child.pid, moment) for child in children
        )

    def _begun_anew(self, moment: float) -> bool:
        """Whether all children of a master without stats began after `moment`."""
        seen = self.glance()
        children = self.members()[1:]
        if not seen.pid or not could_answer(seen.seen, seen.kind):
            return False
        pids = [child.pid for child in children] or [seen.pid]
        return all(processes.started_after(pid, moment) for pid in pids)

    def _await_accepting(self, deadline: Deadline, log: LogMark) -> None:
        while not deadline.expired:
            if self.glance().state in ANSWERING:
                return
            self._refuse_failing(log)
            time.sleep(0.02)
        raise self._late("does not run yet", log)

    def _refuse_failing(self, log: LogMark, *, replaces_workers: bool = False) -> None:
        seen = self.glance()
        halt = seen.halt if replaces_workers else seen.standstill
        if not seen.seen.wanted:
            raise ActFailed(self._paths.name, "was stopped by someone else meanwhile")
        if halt:
            raise ActFailed(self._paths.name, "cannot go on", str(halt))
        if seen.state is State.FAILING and (seen.pid is None or self._keeps_dying(seen, log)):
            evidence = gather(self._paths, log)
            why = why_failing(evidence, seen.address)
            raise ActFailed(self._paths.name, "is failing", why, _last_lines(evidence))

    def _keeps_dying(self, seen: Look, log: LogMark) -> bool:
        """Whether its workers die while they load, again and again since the mark."""
        own = gather(self._paths, log).own
        return bool(seen.pid) and len(dead_while_loading(own, seen.pid or 0)) >= DEATHS

    def late(self, state: State) -> NotInTime:
        """The error for an Act that is not in a state in time."""
        seen = self.look().state
        return self._late(f"is not {state} yet, but {seen}", BEGINNING)

    def _late(self, message: str, log: LogMark) -> NotInTime:
        evidence = gather(self._paths, log)
        halt = self.glance().standstill
        why = str(halt) if halt else why_failing(evidence, self.address())
        return NotInTime(self._paths.name, message, why, _last_lines(evidence))


def _last_lines(evidence: Evidence) -> str:
    return "\n".join(evidence.said.splitlines()[-_TAIL:])
