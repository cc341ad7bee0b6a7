"""Looking at the Acts of a Venue from outside: many at once, each in its current state."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..facts.faults import Fault
from ..facts.health import Generation, HealthRecord
from ..facts.sightings import Halt, Sighting, Vassal, Workforce
from ..facts.snapshots import Snapshot
from ..facts.states import ANSWERING, State
from ..facts.untaken import Untaken
from ..kinds.catalog import kind_of
from ..kinds.judging import is_unsure, judge
from ..kinds.kind import Kind
from ..layout.paths import ActPaths, VenuePaths
from ..layout.settings import readable_settings
from ..logs import log_files
from ..system import lazy, processes, sockets
from ..system.deadlines import Deadline
from ..system.refusals import telling
from ..uwsgi import loaded, probes, stats, vassal_files
from ..uwsgi.emperor import Emperor
from ..uwsgi.ini import Address, VassalFile
from . import health_records

if TYPE_CHECKING:
    from ..uwsgi import log_reasons
    from . import inquiries
else:
    log_reasons = lazy.module("backstage.uwsgi.log_reasons")
    inquiries = lazy.module("backstage.status.inquiries")

# How long to wait for all masters, which answer in microseconds, plus for each, in seconds.
_PATIENCE_WITH_MASTERS = 0.05
_PATIENCE_WITH_EACH = 0.002
# A master that loads or ends its workers rarely answers, but the request makes it faster.
_PATIENCE_WITH_BUSY = 0.003
# How long a probed port may take to answer, in seconds.
PATIENCE = 1.0
# The number of lines at the end of its log that tell how a starting Act fares.
_RECENT = 500
# Without anybody who watches, what an Act said about its health holds for so many seconds.
_HEALTH_HOLDS = 60.0
# States in which earlier failed attempts still count.
_TRIED = frozenset({State.FAILING, State.STARTING})


_Crew = list[tuple[stats.WorkerStats, processes.ProcessFacts | None]]
_NOBODY = Generation("", 0, 0, frozenset())


@dataclass(frozen=True)
class Look:
    """One look at an Act.

    `pid` is the pid of its master process, if any; `workers` are the pids of its workers, `cpu` is
    the processor time of all of these, in seconds. `address` is where the Act is bound, or will be;
    `refused` says why an edit of its file is not used, and `untaken` which edit it has not loaded
    yet. `loaded` is when it loaded its files, 0 if unknown. `halt` is its master or the Emperor, if
    a signal has halted it. `generation` identifies its processes and `health` is what these said
    about themselves last; `noted` may be from workers that they have replaced. `may_sleep` tells
    whether it ends by itself when nothing asks it. `odd` says what its statistics have that those
    of uWSGI never do; the Act can make them up. It is `incomplete` while it is being made.
    """

    name: str
    seen: Sighting
    kind: Kind
    state: State
    pid: int | None
    workers: tuple[int, ...]
    cpu: float
    address: Address | None
    refused: Fault | None = None
    untaken: Untaken | None = None
    loaded: int = 0
    halt: Halt | None = None
    generation: Generation = _NOBODY
    health: HealthRecord | None = None
    noted: HealthRecord | None = None
    draining: bool = False
    incomplete: bool = False
    may_sleep: bool = False
    odd: str = ""

    @property
    def pids(self) -> frozenset[int]:
        """The processes that determine the state."""
        return frozenset(self.workers) | ({self.pid} if self.pid else set())

    @property
    def unsure(self) -> bool:
        """Whether only a probe of its port can tell the state, and none has been sent."""
        return self.address is not None and is_unsure(self.seen, self.kind)

    @property
    def standstill(self) -> Halt | None:
        """What does not go on until somebody continues it: also its workers, if none is left."""
        workforce = self.seen.workforce
        is_left = workforce is None or workforce.threads or not workforce.halted
        if self.halt or self.state is not State.FAILING or is_left:
            return self.halt
        return Halt("its worker" if len(self.workers) == 1 else "its workers", self.workers)

    @property
    def told_by(self) -> tuple[Generation, HealthRecord | None]:
        """The processes that can be asked, and what was noted the last time."""
        return self.generation, self.noted

    @property
    def may_be_asked(self) -> bool:
        """Whether its health may be asked for: a drained Act says nothing about itself.

        One that is being made has no database yet.
        """
        return self.state in ANSWERING and not (self.draining or self.incomplete)

    def is_doubtful(self, now: float) -> bool:
        """Whether its health is unknown or bad at `now`, or was told too long ago."""
        if not self.may_be_asked:
            return False
        if self.health is None or not self.health.ok:
            return True
        # A question would keep it awake.
        return not self.may_sleep and now - self.health.at > _HEALTH_HOLDS

    @property
    def since(self) -> float | None:
        """When the state began, in seconds since the epoch; None if unknown."""
        vassal, penalty = self.seen.vassal, self.seen.penalty
        if self.state is State.UNHEALTHY and self.health:
            return self.health.since
        if vassal is None:
            failing = self.state is State.FAILING and penalty
            return penalty.last_attempt if failing and penalty else None
        moments = {
            State.RUNNING: vassal.last_accepting or vassal.last_ready,
            State.STARTING: vassal.last_run,
            State.RELOADING: vassal.last_mod,
        }
        return float(moments.get(self.state, 0)) or None

    def snapshot(self, reason: str, memory: int) -> Snapshot:
        """The look as a snapshot; `reason` explains the state, `memory` is in bytes."""
        workforce = self.seen.workforce or Workforce(threads=0, busy=0)
        penalty = self.seen.penalty if self.state in _TRIED else None
        return Snapshot(
            name=self.name,
            state=self.state,
            since=self.since,
            port=self.address.port if self.address else None,
            pid=self.pid,
            workers=len(self.workers),
            threads=workforce.threads,
            busy=workforce.busy,
            requests=max(0, workforce.requests - (self.noted.asked if self.noted else 0)),
            latency=workforce.latency,
            memory=memory,
            cpu=self.cpu,
            restarts=(self.seen.vassal.respawns if self.seen.vassal else 0) + workforce.respawns,
            attempts=penalty.attempts if penalty else 0,
            next_try=penalty.retry_at if penalty else None,
            reason=reason,
            refused=self.refused,
            untaken=self.untaken,
            draining=self.draining,
        )

    def asked(self, answers: bool) -> Look:
        """The same look, now that the port has answered or failed to."""
        seen = replace(self.seen, answers=answers)
        return replace(self, seen=seen, state=judge(seen, self.kind))

    def told(self, health: HealthRecord | None) -> Look:
        """The same look, now that the Act has said how it is; None if it has no health check."""
        seen = replace(self.seen, healthy=health.ok if health else None)
        noted = health or self.noted
        return replace(self, seen=seen, health=health, noted=noted, state=judge(seen, self.kind))


class Survey:
    """Looks at the Acts of one Venue; remembers only the contents of vassal files.

    Its methods raise NotYours in another user's Venue, and SystemRefused.
    """

    def __init__(self, venue_paths: VenuePaths) -> None:
        self.paths = venue_paths
        self.emperor = Emperor(venue_paths)

    def names(self) -> set[str]:
        """Every Act: all that have a vassal file, wanted or kept."""
        with telling("finding the Acts", self.paths.top):
            return vassal_files.names(self.paths.vassals) | vassal_files.names(self.paths.kept)

    def look(self, name: str) -> Look:
        """Look at one Act."""
        return self.look_at([name])[name]

    def look_at(self, names: Iterable[str]) -> dict[str, Look]:
        """Look at several Acts, and ask those whose state needs it.

        A port that has not answered after `PATIENCE` seconds does not answer. A health check that
        has not leaves the state as it was.
        """
        looks = self.glance_at(names, self.emperor.stats())
        unsure = [look for look in looks.values() if look.unsure]
        addresses = [look.address for look in unsure if look.address]
        answering = probes.answering(addresses, PATIENCE) if unsure else set()
        asked = {look.name: look.asked(look.address in answering) for look in unsure}
        looks = {**looks, **asked}
        return {**looks, **self._ask_for_health(looks.values())}

    def glance_at(
        self, names: Iterable[str], emperor: stats.EmperorStats | None
    ) -> dict[str, Look]:
        """Look at several Acts, given the Emperor's stats, without probing any port."""
        acts = [self.paths.act(name) for name in names]
        with telling("looking at the Acts", self.paths.top):
            masters = _ask_masters(acts, emperor)
            halt = None if emperor else self.emperor.halt
            return {act.name: self._assemble(act, emperor, masters, halt) for act in acts}

    def _ask_for_health(self, looks: Iterable[Look]) -> dict[str, Look]:
        """The doubtful ones among these looks, completed; all are asked at once."""
        now = processes.boot_clock()
        doubtful = [look for look in looks if look.is_doubtful(now)]
        if not doubtful:
            return {}
        settings = readable_settings(self.paths.settings)
        checks = [inquiries.question_for(self.paths.act(look.name), settings) for look in doubtful]
        with ExitStack() as closing:
            asked: list[tuple[Look, inquiries.Inquiry]] = []
            for look, check in zip(doubtful, checks, strict=True):
                # Commands are left to those who wait or watch.
                act = self.paths.act(look.name)
                inquiry = None if check.command else inquiries.inquire(act, check, *look.told_by)
                if inquiry:
                    closing.callback(inquiry.close)
                    asked.append((look, inquiry))
            deadline = Deadline(PATIENCE)
            records = [(look, inquiry.record(deadline.remaining)) for look, inquiry in asked]
        unasked = [look for look, check in zip(doubtful, checks, strict=True) if not check]
        told = {look.name: look.told(record) for look, record in records if record}
        return {**{look.name: look.told(None) for look in unasked}, **told}

    def _assemble(
        self,
        act_paths: ActPaths,
        emperor: stats.EmperorStats | None,
        masters: stats.Heard,
        halt: Halt | None,
    ) -> Look:
        master = masters.stats.get(act_paths.stats)
        refused = vassal_files.refusal(act_paths)
        vassal = emperor.vassals.get(act_paths.vassal.name) if emperor else None
        pid = _master_pid(vassal, master)
        recorded = loaded.record(act_paths, pid) if pid else None
        # After two reloads at once, a vassal that accepts requests may never be called ready.
        is_loading = vassal is not None and not (vassal.ready or vassal.accepting)
        untaken = None if refused or is_loading else loaded.untaken(act_paths, recorded)
        file = _used(act_paths, is_edited=bool(refused or (untaken and untaken.is_own)))
        facts = processes.facts(pid) if pid else None
        crew, odd = _crew(master)
        kind = kind_of(file)
        at = recorded.at if recorded and not recorded.withdrawn else 0
        generation = _generation(pid, facts, vassal, at, crew)
        noted = health_records.read(act_paths, generation)
        health = noted if noted and noted.generation.lasts(generation) else None
        wanted = vassal_files.is_there(act_paths.vassal)
        draining = wanted and act_paths.drain.exists()
        seen = Sighting(
            wanted=wanted,
            emperor=emperor is not None,
            vassal=vassal,
            penalty=emperor.blacklist.get(act_paths.vassal.name) if emperor else None,
            workforce=_workforce(master, crew) if master and kind.has_workers else None,
            alive=pid is None or (facts is not None and facts.alive),
            reloading=recorded is not None and recorded.withdrawn,
            answers=False if self._is_foreign(file, emperor, master) else None,
            deaths=_deaths(act_paths, vassal, crew) if kind.has_workers else 0,
            healthy=health.ok if health and not draining else None,
        )
        halt = halt if seen.wanted else None
        if pid and facts and facts.halted:
            halt = Halt("its master", (pid,))
        known = [fact for fact in (facts, *(fact for _, fact in crew)) if fact]
        return Look(
            name=act_paths.name,
            seen=seen,
            kind=kind,
            state=judge(seen, kind),
            pid=pid if seen.alive else None,
            workers=tuple(worker.pid for worker, fact in crew if fact and fact.alive),
            cpu=sum(fact.cpu for fact in known),
            address=file.address if file else None,
            refused=refused,
            untaken=untaken,
            loaded=at,
            halt=halt,
            generation=generation,
            health=health,
            noted=noted,
            draining=draining,
            incomplete=act_paths.preparing.exists(),
            may_sleep=bool(vassal and vassal.on_demand) or _is_idler(file),
            odd=masters.odd.get(act_paths.stats, odd),
        )

    def _is_foreign(
        self,
        file: VassalFile | None,
        emperor: stats.EmperorStats | None,
        master: stats.VassalStats | None,
    ) -> bool:
        """Whether the port cannot belong to the Act: no Emperor, and no program of this Venue."""
        if emperor or master or not file or not file.address:
            return False
        if not sockets.in_use(file.address.port, file.address.bound_host):
            return True
        pid = sockets.listener(file.address.port)
        return pid is None or not processes.belongs_to(pid, self.paths.top)


def _used(act_paths: ActPaths, *, is_edited: bool) -> VassalFile | None:
    """The vassal file that the Act runs with, or would start with."""
    kept = vassal_files.kept(act_paths) if is_edited else None
    return kept or vassal_files.load(act_paths)


def _generation(
    pid: int | None,
    facts: processes.ProcessFacts | None,
    vassal: Vassal | None,
    at: int,
    crew: _Crew,
) -> Generation:
    return Generation(
        master=f"{pid}:{facts.began if facts else 0}",
        respawns=vassal.respawns if vassal else 0,
        loaded=at,
        workers=frozenset(f"{worker.pid}:{known.began}" for worker, known in crew if known),
    )


def _is_idler(file: VassalFile | None) -> bool:
    return file is not None and any(file.get(option) for option in ("idle", "cheap"))


def _master_pid(vassal: Vassal | None, master: stats.VassalStats | None) -> int | None:
    if vassal:
        return vassal.pid if vassal.pid > 0 else None
    return master.pid if master else None


def _crew(master: stats.VassalStats | None) -> tuple[_Crew, str]:
    """The workers that a master names, and the first of them that is a process of others, if any.

    That one counts as ended.
    """
    crew: _Crew = []
    odd = ""
    for worker in master.workers if master else ():
        if worker.pid <= 0:
            continue
        facts = processes.facts(worker.pid)
        if facts and facts.alive and master and not _is_child(facts, master.pid):
            odd = odd or f"it names process {worker.pid} as its worker, which it is not"
            facts = None
        crew.append((worker, facts))
    return crew, odd


def _is_child(facts: processes.ProcessFacts, master: int) -> bool:
    """Whether it is a child of the master, or was one of a master that is gone."""
    return facts.parent == master or not processes.alive(master)


def _deaths(
    act_paths: ActPaths,
    vassal: Vassal | None,
    crew: _Crew,
) -> int:
    """How often a worker of a vassal died in a row while it loaded.

    The master does not answer while it waits before the next respawn, and counts those of better
    days too. So the Act's log is read, but only if the master does not answer, or knows of deaths.
    """
    if vassal is None or vassal.cursed or vassal.pid <= 0 or (vassal.accepting and not crew):
        return 0
    if not (vassal.ready or vassal.respawns) or not all(worker.respawns for worker, _ in crew):
        return 0
    if any(worker.accepting for worker, _ in crew):
        return 0
    return len(log_reasons.dead_while_loading(log_files.tail(act_paths.log, _RECENT), vassal.pid))


def _workforce(
    master: stats.VassalStats,
    crew: _Crew,
) -> Workforce:
    accepting = [
        worker
        for worker, facts in crew
        if worker.accepting and facts and facts.alive and not facts.halted
    ]
    halted = sum(bool(facts and facts.halted) for _, facts in crew)
    ended = sum(not (facts and facts.alive) for _, facts in crew)
    return Workforce(
        threads=sum(worker.threads for worker in accepting),
        busy=sum(worker.busy for worker in accepting),
        loading=len(crew) - len(accepting) - halted - ended,
        ended=ended,
        halted=halted,
        asleep=sum(worker.cheap for worker in master.workers),
        requests=sum(worker.requests for worker in master.workers),
        # A chain reload replaces each of them once.
        respawns=max((worker.respawns for worker in master.workers), default=0),
        latency=max((worker.latency for worker in master.workers), default=0.0),
        intended=bool(master.workers),
    )


def _ask_masters(acts: Iterable[ActPaths], emperor: stats.EmperorStats | None) -> stats.Heard:
    prompt: list[Path] = []
    busy: list[Path] = []
    for act in acts:
        vassal = emperor.vassals.get(act.vassal.name) if emperor else None
        if emperor and not vassal:
            continue
        is_wanted = vassal_files.is_there(act.vassal)
        is_busy = vassal and (not vassal.accepting or vassal.cursed or not is_wanted)
        (busy if is_busy else prompt).append(act.stats)
    patience = _PATIENCE_WITH_MASTERS + _PATIENCE_WITH_EACH * len(prompt)
    answers = stats.hear_vassals(prompt, patience)
    late = stats.hear_vassals(busy, _PATIENCE_WITH_BUSY)
    return stats.Heard({**answers.stats, **late.stats}, {**answers.odd, **late.odd})
