"""Looking at the Acts of a Venue from outside: many at once, each in its current state."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from ..facts.faults import Fault
from ..facts.sightings import Sighting, Vassal, Workforce
from ..facts.snapshots import Snapshot
from ..facts.states import State
from ..facts.untaken import Untaken
from ..kinds.catalog import kind_of
from ..kinds.judging import is_unsure, judge
from ..kinds.kind import Kind
from ..layout.paths import ActPaths, VenuePaths
from ..system import processes, sockets
from ..uwsgi import loaded, probes, stats, vassal_files
from ..uwsgi.emperor import Emperor
from ..uwsgi.ini import Address, VassalFile

# How long to wait for all masters, which answer in microseconds, plus for each, in seconds.
_PATIENCE_WITH_MASTERS = 0.05
_PATIENCE_WITH_EACH = 0.002
# A master that loads or ends its workers rarely answers, but the request makes it faster.
_PATIENCE_WITH_BUSY = 0.003
# How long a probed port may take to answer, in seconds.
PATIENCE = 1.0
# States in which earlier failed attempts still count.
_TRIED = frozenset({State.FAILING, State.STARTING})


@dataclass(frozen=True)
class Look:
    """One look at an Act.

    `pid` is the pid of its master process, if any; `workers` are the pids of its workers, `memory`
    the memory of all of these, in bytes, and `cpu` their processor time, in seconds. `address` is
    where the Act is bound, or will be; `refused` says why an edit of its file is not used, and
    `untaken` which edit it has not loaded yet. `loaded` is when it loaded its files, 0 if unknown.
    """

    name: str
    seen: Sighting
    kind: Kind
    state: State
    pid: int | None
    workers: tuple[int, ...]
    memory: int
    cpu: float
    address: Address | None
    refused: Fault | None = None
    untaken: Untaken | None = None
    loaded: int = 0

    @property
    def pids(self) -> frozenset[int]:
        """The processes that determine the state."""
        return frozenset(self.workers) | ({self.pid} if self.pid else set())

    @property
    def unsure(self) -> bool:
        """Whether only a probe of its port can tell the state, and none has been sent."""
        return self.address is not None and is_unsure(self.seen, self.kind)

    @property
    def since(self) -> float | None:
        """When the state began, in seconds since the epoch; None if unknown."""
        vassal, penalty = self.seen.vassal, self.seen.penalty
        if vassal is None:
            failing = self.state is State.FAILING and penalty
            return penalty.last_attempt if failing and penalty else None
        moments = {
            State.RUNNING: vassal.last_accepting or vassal.last_ready,
            State.STARTING: vassal.last_run,
            State.RELOADING: vassal.last_mod,
        }
        return float(moments.get(self.state, 0)) or None

    def snapshot(self, reason: str) -> Snapshot:
        """The look as a snapshot; `reason` explains the state."""
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
            requests=workforce.requests,
            latency=workforce.latency,
            memory=self.memory,
            cpu=self.cpu,
            restarts=(self.seen.vassal.respawns if self.seen.vassal else 0) + workforce.respawns,
            attempts=penalty.attempts if penalty else 0,
            next_try=penalty.retry_at if penalty else None,
            reason=reason,
            refused=self.refused,
            untaken=self.untaken,
        )

    def asked(self, answers: bool) -> Look:
        """The same look, now that the port has answered or failed to."""
        seen = replace(self.seen, answers=answers)
        return replace(self, seen=seen, state=judge(seen, self.kind))


class Survey:
    """Looks at the Acts of one Venue; remembers only the contents of vassal files."""

    def __init__(self, venue_paths: VenuePaths) -> None:
        self.paths = venue_paths
        self.emperor = Emperor(venue_paths)
        self._act = lru_cache(maxsize=4096)(venue_paths.act)

    def names(self) -> set[str]:
        """Every Act: all that have a vassal file, wanted or kept."""
        return vassal_files.names(self.paths.vassals) | vassal_files.names(self.paths.kept)

    def look(self, name: str) -> Look:
        """Look at one Act."""
        return self.look_at([name])[name]

    def look_at(self, names: Iterable[str]) -> dict[str, Look]:
        """Look at several Acts, and probe the ports of those whose state needs it.

        A port that has not answered after `PATIENCE` seconds does not answer.
        """
        looks = self.glance_at(names, self.emperor.stats())
        unsure = [look for look in looks.values() if look.unsure]
        addresses = [look.address for look in unsure if look.address]
        answering = probes.answering(addresses, PATIENCE) if unsure else set()
        asked = {look.name: look.asked(look.address in answering) for look in unsure}
        return {**looks, **asked}

    def glance_at(
        self, names: Iterable[str], emperor: stats.EmperorStats | None
    ) -> dict[str, Look]:
        """Look at several Acts, given the Emperor's stats, without probing any port."""
        acts = [self._act(name) for name in names]
        masters = _ask_masters(acts, emperor)
        return {act.name: self._assemble(act, emperor, masters.get(act.stats)) for act in acts}

    def _assemble(
        self,
        act_paths: ActPaths,
        emperor: stats.EmperorStats | None,
        master: stats.VassalStats | None,
    ) -> Look:
        refused = vassal_files.refusal(act_paths)
        vassal = emperor.vassals.get(act_paths.vassal.name) if emperor else None
        pid = _master_pid(vassal, master)
        recorded = loaded.record(act_paths, pid) if pid else None
        # After two reloads at once, a vassal that accepts requests may never be called ready.
        is_loading = vassal is not None and not (vassal.ready or vassal.accepting)
        untaken = None if refused or is_loading else loaded.untaken(act_paths, recorded)
        file = _used(act_paths, is_edited=bool(refused or (untaken and untaken.is_own)))
        facts = processes.facts(pid) if pid else None
        crew = [(worker, processes.facts(worker.pid)) for worker in _spawned(master)]
        kind = kind_of(file)
        seen = Sighting(
            wanted=act_paths.vassal.is_file(),
            emperor=emperor is not None,
            vassal=vassal,
            penalty=emperor.blacklist.get(act_paths.vassal.name) if emperor else None,
            workforce=_workforce(master, crew) if master and kind.has_workers else None,
            alive=pid is None or (facts is not None and facts.alive),
            reloading=recorded is not None and recorded.withdrawn,
            answers=False if self._is_foreign(file, emperor, master) else None,
        )
        known = [fact for fact in (facts, *(fact for _, fact in crew)) if fact]
        return Look(
            name=act_paths.name,
            seen=seen,
            kind=kind,
            state=judge(seen, kind),
            pid=pid if seen.alive else None,
            workers=tuple(worker.pid for worker, fact in crew if fact and fact.alive),
            memory=sum(fact.memory for fact in known),
            cpu=sum(fact.cpu for fact in known),
            address=file.address if file else None,
            refused=refused,
            untaken=untaken,
            loaded=recorded.at if recorded and not recorded.withdrawn else 0,
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


def _master_pid(vassal: Vassal | None, master: stats.VassalStats | None) -> int | None:
    if vassal:
        return vassal.pid if vassal.pid > 0 else None
    return master.pid if master else None


def _spawned(master: stats.VassalStats | None) -> list[stats.WorkerStats]:
    return [worker for worker in master.workers if worker.pid > 0] if master else []


def _workforce(
    master: stats.VassalStats,
    crew: Sequence[tuple[stats.WorkerStats, processes.ProcessFacts | None]],
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
        respawns=sum(worker.respawns for worker in master.workers),
        latency=max((worker.latency for worker in master.workers), default=0.0),
    )


def _ask_masters(
    acts: Iterable[ActPaths], emperor: stats.EmperorStats | None
) -> dict[Path, stats.VassalStats]:
    prompt: list[Path] = []
    busy: list[Path] = []
    for act in acts:
        vassal = emperor.vassals.get(act.vassal.name) if emperor else None
        if emperor and not vassal:
            continue
        is_busy = vassal and (not vassal.accepting or vassal.cursed or not act.vassal.exists())
        (busy if is_busy else prompt).append(act.stats)
    patience = _PATIENCE_WITH_MASTERS + _PATIENCE_WITH_EACH * len(prompt)
    answers = stats.read_vassals(prompt, patience)
    return {**answers, **stats.read_vassals(busy, _PATIENCE_WITH_BUSY)}
