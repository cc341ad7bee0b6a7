"""Another user's Venue, for a member of the group that it is shared with."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from ..batches import Outcome, Verb
from ..errors import NoSuchAct
from ..events.event import Event
from ..events.history import Moment
from ..events.streams import Broadcast, Tell
from ..facts.lost_parts import LostPart
from ..facts.snapshots import Snapshot
from ..facts.watching import Watcher
from ..layout.paths import VenuePaths
from ..layout.settings import Settings
from ..uwsgi.emperor import Emperor
from ..venue import Venue
from . import terms
from .calls import Calls
from .connection import Connection
from .requests import Ask
from .shared_act import SharedAct
from .shared_journal import SharedJournal


class SharedVenue(Venue):
    """A Venue whose watcher is asked for everything: this user reads and writes none of its files.

    What members of the group may not do raises NotAllowed.
    """

    def __init__(self, venue_paths: VenuePaths) -> None:
        """Raises NotAllowed for a user who is not in the group, EmperorFailed if nobody answers."""
        self.paths = venue_paths
        self._broadcast = Broadcast(lambda tell: _Events(venue_paths, tell), venue_paths.top)
        self._calls = Calls(venue_paths)
        # Whoever opens it is to learn at once if nobody answers.
        self._calls.overview()

    @property
    def settings(self) -> Settings:
        raise terms.refusal(self.paths)

    @property
    def emperor(self) -> Emperor:
        raise terms.refusal(self.paths)

    @property
    def emperor_pid(self) -> int | None:
        return self._calls.overview().emperor

    @property
    def watcher(self) -> Watcher:
        return self._calls.overview().watcher

    @property
    def lost(self) -> tuple[LostPart, ...]:
        return self._calls.overview().lost

    def __repr__(self) -> str:
        owner = terms.owner_of(self.paths)
        return f"<Venue {str(self.path)!r} of {owner}, {len(self)} Acts>"

    @property
    def acts(self) -> tuple[SharedAct, ...]:
        return tuple(self.act(now.name) for now in self.snapshot())

    def __len__(self) -> int:
        return len(self.snapshot())

    def __contains__(self, name: object) -> bool:
        return any(now.name == name for now in self.snapshot())

    def __getitem__(self, name: str) -> SharedAct:
        names = tuple(now.name for now in self.snapshot())
        if name not in names:
            raise NoSuchAct(name, self.path, names)
        return self.act(name)

    def act(self, name: str) -> SharedAct:
        return SharedAct(self.paths.act(name), self._calls, self._broadcast)

    def snapshot(self) -> tuple[Snapshot, ...]:
        return self._calls.overview().acts

    def examine(self, *names: str, progress: object = None) -> Iterator[Any]:
        raise terms.refusal(self.paths)

    def history(
        self, *, since: float | datetime | None = None, act: str | None = None
    ) -> Iterator[Event]:
        begin = since.timestamp() if isinstance(since, datetime) else since
        events = self._calls.ask_slowly(Event, Ask.HISTORY, since=begin)
        return (event for event in events if act is None or event.act == act)

    def logs(
        self,
        *sources: str,
        lines: int | None = None,
        since: float | datetime | None = None,
        follow: bool = False,
        level: str | None = None,
        grep: str | re.Pattern[str] | None = None,
    ) -> SharedJournal:
        if grep:
            # A pattern of anybody's could keep the watcher busy for ever.
            raise terms.refusal(self.paths)
        begin = since.timestamp() if isinstance(since, datetime) else since
        connection = Connection(self.paths)
        return SharedJournal(
            connection, names=sources, lines=lines, since=begin, follow=follow, level=level
        )

    def close(self) -> None:
        super().close()
        self._calls.close()

    def start(self) -> None:
        raise terms.refusal(self.paths)

    def stop(self, wait: float = 30.0) -> None:
        raise terms.refusal(self.paths)

    def each(
        self,
        verb: Verb,
        names: Iterable[str] | None = None,
        wait: float | None = 30.0,
        *,
        drain: float = 0.0,
        check: bool = True,
    ) -> Iterator[Outcome]:
        named = None if names is None else tuple(names)
        for name in named or ():
            self[name]
        return self._calls.each(verb, named, wait, drain=drain, check=check)

    def meant(self, verb: Verb, names: Iterable[str] | None) -> list[Any]:
        raise terms.refusal(self.paths)


class _Events:
    """The events of the Venue, as its watcher's processes see them."""

    def __init__(self, venue_paths: VenuePaths, tell: Tell) -> None:
        self._tell = tell
        self._connection = Connection(venue_paths)
        self._is_closed = False
        self._connection.wait_without_end()
        self._events = self._connection.ask(Event | None, Ask.EVENTS)

    def begin(self) -> None:
        """Return when every later event is told."""
        next(self._events, None)

    def moments(self) -> Mapping[str, Moment]:
        """Nothing is known of how the Acts were before."""
        return {}

    def run(self) -> None:
        """Tell the events until the other side ends, or `close` is called."""
        try:
            for event in self._events:
                self._tell(event)
        except BaseException:
            if not self._is_closed:
                raise

    def close(self) -> None:
        """Let `run` return."""
        self._is_closed = True
        self._connection.close()
