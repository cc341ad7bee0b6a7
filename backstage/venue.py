"""A Venue: a directory that is a virtual environment, full of Acts, with one Emperor."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from .batches import Outcome, Verb, carry_out
from .errors import BackstageError, NoSuchAct, NotAVenue
from .events.streams import Broadcast, EventStream
from .facts.snapshots import Snapshot
from .layout import registry
from .layout.paths import VenuePaths
from .layout.settings import Settings, read_settings
from .status import explanation
from .status.survey import Survey
from .system import lazy
from .uwsgi.emperor import Emperor

if TYPE_CHECKING:
    from . import act as act_module
    from .act import Act
    from .doctor import examination
    from .doctor.finding import Finding
    from .logs import journal, source
    from .logs.journal import Journal
else:
    act_module = lazy.module("backstage.act")
    examination = lazy.module("backstage.doctor.examination")
    journal = lazy.module("backstage.logs.journal")
    source = lazy.module("backstage.logs.source")


class Venue:
    """A complete Venue on disk; get it from `new_venue` or `use_venue`.

    Its files are the truth: any number of objects, in any number of processes, may stand for it.
    """

    def __init__(self, venue_paths: VenuePaths) -> None:
        self.paths = venue_paths
        self._survey = Survey(venue_paths)
        self._broadcast = Broadcast(self._survey)

    @classmethod
    def open(cls, path: str | Path) -> Venue:
        """The Venue at a path. Raises NotAVenue, or SettingsError for a broken venue.yaml."""
        paths = VenuePaths(Path(path).expanduser().resolve())
        if not paths.top.is_dir():
            raise NotAVenue(paths.top, "does not exist; make a Venue with new_venue(name, path)")
        if paths.building.exists():
            raise NotAVenue(
                paths.top,
                "is a Venue half built; finish it with "
                f"new_venue({paths.top.name!r}, {str(paths.top.parent)!r})",
            )
        if not paths.settings.exists() or not paths.emperor_ini.exists():
            raise NotAVenue(paths.top, "is no Venue: it has no venue.yaml and emperor.ini")
        venue = cls(paths)
        read_settings(paths.settings)
        # Another user's Venue can be used without being noted in one's own register.
        with suppress(OSError):
            registry.register(paths.top)
        return venue

    @property
    def path(self) -> Path:
        """The directory: the top of the virtual environment."""
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
        """Every Act by name: those with a vassal file, wanted or kept."""
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
        """The Act of this name, whether it is there or not."""
        return act_module.Act(self.paths.act(name), self._survey, self._broadcast)

    def snapshot(self) -> tuple[Snapshot, ...]:
        """What is seen of every Act at this moment, by name, all in one look."""
        looks = self._survey.look_at(sorted(self._survey.names()))
        return tuple(
            explanation.snapshot(self.paths.act(name), look) for name, look in looks.items()
        )

    def examine(self, *names: str) -> Iterator[Finding]:
        """Look for all that is wrong or may become so; yields what is found as soon as it is.

        What is in order is told as well. `names` limit the Acts that are examined. Nothing is
        changed. Raises NoSuchAct.
        """
        acts = [self[name] for name in dict.fromkeys(names)] if names else self.acts
        return examination.examine(self._survey, [act.name for act in acts])

    def events(
        self, timeout: float | None = None, stop_event: threading.Event | None = None
    ) -> EventStream:
        """Every change of every Act from now on, once and in order, whoever caused it.

        The iterator ends after `timeout` seconds without an event, when `stop_event` is set, or
        when it or the Venue is closed. While any is open, edits of vassal files are attended to.
        """
        return self._broadcast.listen(timeout, stop_event)

    def logs(
        self,
        *sources: str,
        lines: int | None = None,
        since: float | datetime | None = None,
        follow: bool = False,
    ) -> Journal:
        """The logs of Acts, and of 'emperor', as one in order of time; without names, of all.

        From each come its last `lines` lines, 20 if neither they nor `since`, in seconds since the
        epoch, are given. With `follow` the iterator goes on until it is closed, also over Acts made
        later if none were named. Raises NoSuchAct.
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
        )

    def close(self) -> None:
        """End every stream of events; the Acts and the Emperor go on."""
        self._broadcast.close()

    def __enter__(self) -> Venue:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> None:
        """Start the Emperor unless it is alive, and with it every Act that is wanted.

        Returns when the Emperor watches. Raises EmperorFailed, UnsafeDirectory.
        """
        read_settings(self.paths.settings)
        self._survey.emperor.start()

    def stop(self, wait: float = 30.0) -> None:
        """End the Emperor and every process of every Act; wanted Acts stay wanted.

        Requests under way may finish; after `wait` seconds what is left is killed.
        Raises EmperorFailed.
        """
        self._survey.emperor.stop(wait)

    def start_all_acts(self, wait: float | None = 30.0) -> None:
        """Start every Act. One that fails keeps no other from it; then raises the failures."""
        _insist(self.each(Verb.START, wait=wait))

    def stop_all_acts(self, wait: float | None = 30.0) -> None:
        """Stop every Act; the Emperor goes on."""
        _insist(self.each(Verb.STOP, wait=wait))

    def restart_all_acts(self, wait: float | None = 30.0) -> None:
        """Restart the Acts that are wanted, one after the other; those that are stopped stay so."""
        _insist(self.each(Verb.RESTART, wait=wait))

    def each(
        self, verb: Verb, names: Iterable[str] | None = None, wait: float | None = 30.0
    ) -> Iterator[Outcome]:
        """Start, stop or restart several Acts, and yield what became of each as soon as it is so.

        Without `names`, every Act is meant; to restart, those that are wanted. Acts start and stop
        side by side and restart one after the other. Raises NoSuchAct before anything is done, and
        what `start` raises.
        """
        if names is not None:
            acts = [self[name] for name in dict.fromkeys(names)]
        else:
            acts = [act for act in self if act.wanted or verb is not Verb.RESTART]
        if verb is Verb.START:
            self.start()
        return carry_out(verb, acts, wait)


def _insist(outcomes: Iterable[Outcome]) -> None:
    """Wait for every outcome, then raise what went wrong."""
    failures = [outcome.error for outcome in outcomes if outcome.error]
    if len(failures) == 1:
        raise failures[0]
    if failures:
        raise BackstageError("\n\n".join(str(error) for error in failures))
