"""Calls of a member of the group to the watcher, for the two nouns."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from typing import Any

from ..batches import Outcome, Verb
from ..errors import BackstageError, EmperorFailed
from ..layout.paths import VenuePaths
from .connection import Connection
from .requests import Ask, Done, Overview


class Calls:
    """Asks the watcher of a Venue, from any thread."""

    def __init__(self, venue_paths: VenuePaths) -> None:
        self._paths = venue_paths
        self._lock = threading.Lock()
        self._connection: Connection | None = None

    def ask_now(self, kind: Any, ask: Ask, *, most: int, **fields: Any) -> list[Any]:
        """All items, `most` at most, of a reply that comes at once and changes nothing.

        The connection is kept for the next one.
        """
        with self._lock:
            if self._connection:
                # After a minute without a request, the other side has ended it.
                with suppress(EmperorFailed):
                    return self._asked(self._connection, kind, ask, most, **fields)
            return self._asked(Connection(self._paths), kind, ask, most, **fields)

    def _asked(
        self, connection: Connection, kind: Any, ask: Ask, most: int, **fields: Any
    ) -> list[Any]:
        self._connection = None
        try:
            found = list(islice(connection.ask(kind, ask, **fields), most + 1))
            if len(found) > most:
                raise BackstageError(f"the watcher of {self._paths.top} answers too much")
        except BaseException:
            connection.close()
            raise
        self._connection = connection
        return found

    def ask_slowly(self, kind: Any, ask: Ask, **fields: Any) -> Iterator[Any]:
        """The items of a reply as they come, however long that takes."""
        connection = Connection(self._paths)
        connection.wait_without_end()
        try:
            yield from connection.ask(kind, ask, **fields)
        finally:
            connection.close()

    def overview(self) -> Overview:
        """The state of the whole Venue now."""
        for overview in self.ask_now(Overview, Ask.OVERVIEW, most=1):
            assert isinstance(overview, Overview)
            return overview
        self.close()
        raise BackstageError(f"the watcher of {self._paths.top} answers nothing")

    def each(
        self,
        verb: Verb,
        names: tuple[str, ...] | None,
        wait: float | None,
        *,
        drain: float = 0.0,
        check: bool = True,
    ) -> Iterator[Outcome]:
        """What `Venue.each` yields."""
        done = self.ask_slowly(
            Done, Ask.EACH, verb=verb, names=names, wait=wait, drain=drain, check=check
        )
        return (each.outcome(verb) for each in done)

    def close(self) -> None:
        """End the connection that is kept."""
        with self._lock:
            if self._connection:
                self._connection.close()
                self._connection = None
