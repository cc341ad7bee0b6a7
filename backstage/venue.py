"""A Venue: a directory that is a virtual environment, full of Acts, with one Emperor."""

from __future__ import annotations

import math
import re
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from .batches import Outcome, Verb, carry_out, restarts_at_once
from .errors import BackstageError, NoSuchAct, NotAVenue, SystemRefused
from .events import streams
from .events.event import Event
from .events.streams import EventStream
from .facts import advice
from .facts.command_line import join
from .facts.lost_parts import LostPart
from .facts.snapshots import Snapshot
from .facts.watching import Watcher
from .layout import executed, made, registry, venue_retirement
from .layout.paths import VenuePaths
from .layout.settings import Settings, read_settings
from .status import explanation, premises
from .status.survey import Survey
from .system import files, lazy, machine, trust
from .system.deadlines import finite
from .system.refusals import is_directory, refuse_unreadable, telling
from .uwsgi import lost_parts, resident
from .uwsgi.emperor import Emperor

if TYPE_CHECKING:
    from . import act as act_module
    from .act import Act
    from .doctor import examination
    from .doctor.finding import Finding
    from .events import past_events
    from .logs import journal, records, source
    from .logs.journal import Journal
    from .system import as_user, users
    from .virtualenvs import apprise_copy, private_copy
else:
    act_module = lazy.module("backstage.act")
    examination = lazy.module("backstage.doctor.examination")
    journal = lazy.module("backstage.logs.journal")
    as_user = lazy.module("backstage.system.as_user")
    users = lazy.module("backstage.system.users")
    apprise_copy = lazy.module("backstage.virtualenvs.apprise_copy")
    past_events = lazy.module("backstage.events.past_events")
    private_copy = lazy.module("backstage.virtualenvs.private_copy")
    records = lazy.module("backstage.logs.records")
    source = lazy.module("backstage.logs.source")

# What applies to stopped Acts too.
_OF_ALL = frozenset({Verb.START, Verb.STOP})


class Venue:
    """A complete Venue on disk; get it from `new_venue` or `use_venue`.

    All state is in its files: any number of objects, in any number of processes, may represent it.
    Everything raises NotYours in a Venue of another user's, SystemRefused for what the operating
    system refuses, and ValueError for a wait that is negative, endless or no number.
    """

    def __init__(self, venue_paths: VenuePaths) -> None:
        self.paths = venue_paths
        self._survey = Survey(venue_paths)
        self._broadcast = streams.of_survey(self._survey)

    @classmethod
    def open(cls, path: str | Path) -> Venue:
        """The Venue at a path.

        Raises NotAVenue, VenueMoved, SettingsError for a broken venue.yaml, NotYours if this user
        may not look into a Venue of another's, and SystemRefused.
        """
        venue = cls.at(path)
        with telling(f"opening {venue.path}", venue.path):
            made.refuse_elsewhere(venue.paths)
            read_settings(venue.paths.settings)
        # Another user's Venue need not be in this user's registry, and he may have no home.
        with suppress(OSError, SystemRefused):
            registry.register(venue.path)
        return venue

    @classmethod
    def at(cls, path: str | Path) -> Venue:
        """Like `open`, also for one that was moved or copied: nothing in that may be run."""
        paths = VenuePaths(registry.absolute(path))
        with telling(f"opening {paths.top}", paths.top):
            return cls._found(paths)

    @classmethod
    def _found(cls, paths: VenuePaths) -> Venue:
        if not is_directory(paths.top):
            raise NotAVenue(paths.top, "does not exist", advice.make_venue(paths.top))
        if paths.building.exists():
            to_finish = advice.make_venue(paths.top, "to finish it")
            raise NotAVenue(paths.top, "is a half-built Venue", to_finish)
        _refuse_other(paths)
        # Who cannot ask the kernel for the Emperor can do nothing in the Venue.
        for file in (paths.settings, paths.emperor_lock):
            if file.exists():
                refuse_unreadable(file)
        return cls(paths)

    @property
    def path(self) -> Path:
        """The directory of the Venue: the root of its virtual environment."""
        return self.paths.top

    @property
    def name(self) -> str:
        """The name of the directory."""
        return self.path.name

    @property
    def settings(self) -> Settings:
        """What venue.yaml says now. Raises SettingsError."""
        return read_settings(self.paths.settings)

    @property
    def emperor(self) -> Emperor:
        return self._survey.emperor

    @property
    def emperor_pid(self) -> int | None:
        """The pid of the Emperor; None if it does not run."""
        return self._survey.emperor.pid

    @property
    def watcher(self) -> Watcher:
        """The watcher of the Venue: its state and its pid. Raises SettingsError."""
        with telling("finding the watcher", self.path):
            return resident.look(self.paths, wanted=self.settings.watcher, emperor=self.emperor_pid)

    @property
    def lost(self) -> tuple[LostPart, ...]:
        """What somebody has removed, from the whole Venue and of its Acts."""
        projects = premises.lost_projects(self.paths, sorted(self._survey.names()))
        return (*lost_parts.find(self.paths, self._survey.emperor.pid), *projects)

    def __repr__(self) -> str:
        pid = self._survey.emperor.pid
        state = f"running, pid {pid}" if pid else "stopped"
        return f"<Venue {str(self.path)!r} {state}, {len(self)} Acts>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Venue) and other.path == self.path

    def __hash__(self) -> int:
        return hash(self.path)

    @property
    def acts(self) -> tuple[Act, ...]:
        """Every Act, sorted by name: all that have a vassal file, wanted or kept."""
        return tuple(self.act(name) for name in sorted(self._survey.names()))

    def __iter__(self) -> Iterator[Act]:
        return iter(self.acts)

    def __len__(self) -> int:
        return len(self._survey.names())

    def __contains__(self, name: object) -> bool:
        return name in self._survey.names()

    def __getitem__(self, name: str) -> Act:
        """The Act of this name. Raises NoSuchAct."""
        names = self._survey.names()
        if name not in names:
            raise NoSuchAct(name, self.path, tuple(sorted(names)))
        return self.act(name)

    def act(self, name: str) -> Act:
        """The Act of this name, whether it exists or not."""
        return act_module.Act(self.paths.act(name), self._survey, self._broadcast)

    def snapshot(self) -> tuple[Snapshot, ...]:
        """A snapshot of every Act, sorted by name, all taken at once."""
        looks = self._survey.look_at(sorted(self._survey.names()))
        return explanation.snapshots(self.paths, looks)

    def examine(
        self, *names: str, progress: Callable[[str], None] | None = None
    ) -> Iterator[Finding]:
        """Look for present and coming problems; yields each finding as soon as it is made.

        Passed checks are findings too. `names` limits the Acts that are examined. `progress` is
        called with what is examined next. Nothing is changed. Raises NoSuchAct.
        """
        acts = [self[name] for name in dict.fromkeys(names)] if names else self.acts
        return examination.examine(self._survey, [act.name for act in acts], progress)

    def events(
        self, timeout: float | None = None, stop_event: threading.Event | None = None
    ) -> EventStream:
        """Every change of every Act from now on, once and in order, whatever caused it.

        The iterator ends after `timeout` seconds without an event, when `stop_event` is set, or
        when it or the Venue is closed. While one is open, edits of vassal files are checked before
        the Emperor uses them.
        """
        return self._broadcast.listen(None if timeout is None else finite(timeout), stop_event)

    def history(
        self, *, since: float | datetime | None = None, act: str | None = None
    ) -> Iterator[Event]:
        """What has happened, the oldest event first, as the Venue's watcher wrote it down.

        `since` is a datetime or seconds since the epoch; without it, everything that is kept: up to
        10 MB. `act` is the name of an Act, which may have been retired.
        """
        begin = since.timestamp() if isinstance(since, datetime) else since
        events = past_events.read(self.paths, begin)
        return (event for event in events if act is None or event.act == act)

    def logs(
        self,
        *sources: str,
        lines: int | None = None,
        since: float | datetime | None = None,
        follow: bool = False,
        level: str | None = None,
        grep: str | re.Pattern[str] | None = None,
    ) -> Journal:
        """The logs of these Acts and of 'emperor', merged by time; without names, all logs.

        Yields the last `lines` lines of each log, 20 by default unless `since` is given, a datetime
        or seconds since the epoch. With `follow`, the iterator continues until it is closed; if no
        names were given, it also follows Acts created later.

        With `level`, such as 'warning', only records of this level or a higher one; with `grep`, a
        regular expression, only those with a line that matches. Records are whole, with their
        tracebacks, and `lines` counts them. Raises NoSuchAct, ValueError, re.error.
        """
        for name in sources:
            if name != journal.EMPEROR:
                self[name]
        names = self._survey.names
        return journal.Journal(
            self.paths,
            dict.fromkeys(sources or (*sorted(names()), journal.EMPEROR)),
            source.Span.of(lines, since),
            follow=follow,
            newcomers=tuple if sources else names,
            wanted=records.Wanted.of(level, grep),
        )

    def close(self) -> None:
        """End every stream of events; the Acts and the Emperor keep running."""
        self._broadcast.close()

    def __enter__(self) -> Venue:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> None:
        """Start the Emperor, if it is not running, and with it every wanted Act.

        Returns when the Emperor watches the vassal files. Raises EmperorFailed, UnsafeDirectory;
        and EnvironmentFailed or CannotWrite if the watcher cannot be provided with what it needs,
        once the Emperor is there all the same.
        """
        executed.refuse_loose(self.paths)
        settings = self.settings
        as_user.run_as(users.stand_in(self.path), self._mend)
        try:
            as_user.run_as(users.stand_in(self.path), lambda: self._provide_watcher(settings))
        finally:
            self._survey.emperor.start()

    def _mend(self) -> None:
        """Make again what somebody has removed; the watcher then watches what is new."""
        emperor = self._survey.emperor
        lost = lost_parts.find(self.paths, emperor.pid)
        emperor.refuse_halted()
        with files.telling_disk_trouble(f"repairing {self.path}"):
            lost_parts.mend(self.paths, emperor.pid)
        if lost:
            resident.replace(self.paths)

    def _provide_watcher(self, settings: Settings) -> None:
        wanted = settings.watcher
        with files.telling_disk_trouble(f"starting the watcher of {self.path}", self.path):
            if wanted and self.paths.residents.is_dir() and not self.paths.library.exists():
                private_copy.make(self.paths)
            if wanted and any(target.url for target in settings.notify):
                apprise_copy.provide(self.paths)
            resident.arrange(self.paths, wanted=wanted)

    def stop(self, wait: float = 30.0) -> None:
        """Stop the Emperor and every process of every Act; wanted Acts stay wanted.

        Requests in progress may finish; processes left after `wait` seconds are killed.
        Raises EmperorFailed.
        """
        self._survey.emperor.stop(wait)

    def start_all_acts(self, wait: float | None = 30.0) -> None:
        """Start every Act. A failure does not stop the others; failures are raised at the end."""
        _insist(self.each(Verb.START, wait=wait))

    def stop_all_acts(self, wait: float | None = 30.0) -> None:
        """Stop every Act; the Emperor keeps running."""
        _insist(self.each(Verb.STOP, wait=wait))

    def restart_all_acts(self, wait: float | None = 30.0, *, check: bool = True) -> None:
        """Restart the wanted Acts, several at a time; stopped Acts stay stopped.

        An Act whose new code fails when tried runs on as before. With `check=False`, code is not
        tried, and Acts restart one after the other.
        """
        _insist(self.each(Verb.RESTART, wait=wait, check=check))

    def each(
        self,
        verb: Verb,
        names: Iterable[str] | None = None,
        wait: float | None = 30.0,
        *,
        drain: float = 0.0,
        check: bool = True,
    ) -> Iterator[Outcome]:
        """Start, stop, restart or drain several Acts; yields each outcome as soon as it is known.

        Without `names`, it applies to every Act, for a restart or to drain to every wanted Act.
        Before a stop, Acts are drained for `drain` seconds. Acts start and stop in parallel, and
        restart so as far as processors and memory allow; with `check=False`, as in `act.restart`,
        they restart one after the other, so that faulty code takes down one Act at a time. Raises
        NoSuchAct before anything is done, UnsafeDirectory for the Venue of another user, and
        everything that `start` raises.
        """
        trust.refuse_foreign(self.path)
        acts = self.meant(verb, names)
        if verb is Verb.START:
            self.emperor.refuse_lost()
            self.start()
        if verb is not Verb.RESTART:
            return carry_out(verb, acts, wait, drain=drain)
        at_once = self._restarts_at_once(acts) if check and len(acts) > 1 else 1
        return carry_out(verb, acts, wait, check=check, at_once=at_once)

    def _restarts_at_once(self, acts: Iterable[Act]) -> int:
        memory = {now.name: now.memory for now in self.snapshot()}
        limit = self.settings.limits.memory
        left = limit - sum(memory.values()) if limit else math.inf
        free = int(min(left, machine.free_memory()))
        among = [memory.get(act.name, 0) for act in acts]
        return restarts_at_once(among, machine.processors(), free)

    def meant(self, verb: Verb, names: Iterable[str] | None) -> list[Act]:
        """The Acts that `each` applies a verb to. Raises NoSuchAct."""
        if names is not None:
            return [self[name] for name in dict.fromkeys(names)]
        return [act for act in self if act.wanted or verb in _OF_ALL]


def _refuse_other(paths: VenuePaths) -> None:
    """Raise NotAVenue for one that is none, was retired, or lost what nothing can make again."""
    retired = venue_retirement.read(paths)
    if retired and retired.path != str(paths.top):
        command = join(["backstage", "unretire", str(paths.top)])
        told = f"was retired from {retired.path}; to bring it back, type: {command}"
        raise NotAVenue(paths.top, told)
    is_one = paths.emperor_ini.exists() or (paths.top / "pyvenv.cfg").exists()
    if paths.settings.exists() and is_one:
        return
    if paths.emperor_ini.exists():
        command = join(["touch", str(paths.settings)])
        lost = f"has lost its venue.yaml; put it back, or, for the defaults, type: {command}"
        raise NotAVenue(paths.top, lost)
    raise NotAVenue(paths.top, "is not a Venue: it lacks venue.yaml or emperor.ini")


def _insist(outcomes: Iterable[Outcome]) -> None:
    """Wait for every outcome, then raise the failures."""
    failures = [outcome.error for outcome in outcomes if outcome.error]
    if len(failures) == 1:
        raise failures[0]
    if failures:
        raise BackstageError("\n\n".join(str(error) for error in failures))
