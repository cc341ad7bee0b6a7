"""The program that answers one member of the group; the watcher starts it for each connection.

It gets the connection as its standard input, and ends with it: like a command of the owner's that
is interrupted, it leaves what the Emperor has begun to the Emperor.
"""

from __future__ import annotations

import os
import select
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from ..batches import Outcome, carry_out
from ..errors import BackstageError, EmperorFailed, NotAVenue
from ..facts.watching import Watcher, Watching
from ..layout.paths import VenuePaths
from ..logs.source import LogLine
from ..system import callers
from ..venue import Venue
from . import requests
from .failures import Failure
from .requests import Ask, Done, Overview, Request
from .values import encoded
from .veil import Veil

# How long a member may take to ask, and to read a reply, in seconds.
_PATIENCE = 60.0
# A longer line of a log is cut, in characters.
_LONGEST_LINE = 20_000


def main() -> None:
    """Answer the connection that is standard input: arguments are the Venue and the member."""
    callers.act_for(sys.argv[-1])
    with socket.socket(fileno=os.dup(0)) as connection:
        threading.Thread(target=_end_with, args=[connection.fileno()], daemon=True).start()
        connection.settimeout(_PATIENCE)
        with suppress(OSError):
            Answering(VenuePaths(Path(sys.argv[-2])), connection).run()
    # Not waiting for threads that still wait for Acts.
    os._exit(0)


class Answering:
    """Answers the requests of one connection, one after the other."""

    def __init__(self, venue_paths: VenuePaths, connection: socket.socket) -> None:
        self._venue = Venue(venue_paths)
        self._connection = connection
        self._veil = Veil(venue_paths)

    def run(self) -> None:
        """Answer until the other side ends. Raises OSError if it does not read or ask in time."""
        with self._connection.makefile("rb") as lines:
            while line := lines.readline(requests.LONGEST_REQUEST):
                self._answer(line)
                if not line.endswith(b"\n"):
                    return

    def _answer(self, line: bytes) -> None:
        items = self._items(line)
        while True:
            try:
                document = {"item": encoded(next(items), self._veil)}
            except StopIteration:
                document = {"end": True}
            except BackstageError as error:
                document = {"error": encoded(Failure.of(error), self._veil)}
            except Exception as error:  # noqa: BLE001 - who asks is told, and may ask again
                told = BackstageError(f"it cannot be answered: {type(error).__name__}: {error}")
                document = {"error": encoded(Failure.of(told), self._veil)}
            self._connection.sendall(requests.line_of(document))
            if "item" not in document:
                return

    def _items(self, line: bytes) -> Iterator[object]:
        request = requests.request_of(line)
        if request.venue != str(self._venue.path):
            raise NotAVenue(Path(request.venue), "is not the Venue that answers at its socket")
        answer = {
            Ask.OVERVIEW: self._overview,
            Ask.EVENTS: self._events,
            Ask.HISTORY: self._history,
            Ask.LOGS: self._logs,
            Ask.EACH: self._each,
        }
        yield from answer[request.ask](request)

    def _overview(self, _: Request) -> Iterator[Overview]:
        # The watcher is there: it has started this process.
        watcher = Watcher(Watching.RUNNING, os.getppid())
        yield Overview(
            emperor=self._venue.emperor_pid,
            watcher=watcher,
            acts=self._venue.snapshot(),
            lost=self._venue.lost,
        )

    def _events(self, _: Request) -> Iterator[object]:
        with self._venue.events() as events:
            yield None
            yield from events

    def _history(self, request: Request) -> Iterator[object]:
        return self._venue.history(since=request.since)

    def _logs(self, request: Request) -> Iterator[LogLine]:
        journal = self._venue.logs(
            *(request.names or ()),
            lines=request.lines,
            since=request.since,
            follow=request.follow,
            level=request.level,
        )
        with journal:
            for line in journal:
                # Not cut amid a secret, of which a part would be left.
                text = self._veil(line.text)
                cut = text[:_LONGEST_LINE]
                yield LogLine(line.source, line.at, cut if cut == text else f"{cut}…")

    def _each(self, request: Request) -> Iterator[Done]:
        verb = request.verb
        if verb is None:
            raise BackstageError("no request: it names no verb")
        if self._venue.emperor_pid is None:
            raise EmperorFailed("the Emperor does not run, and its owner starts it")
        acts = self._venue.meant(verb, request.names)
        outcomes = carry_out(verb, acts, request.wait, drain=request.drain, check=request.check)
        yield from map(_done, outcomes)


def _done(outcome: Outcome) -> Done:
    failure = Failure.of(outcome.error) if outcome.error else None
    return Done(now=outcome.now, seconds=outcome.seconds, error=failure)


def _end_with(connection: int) -> None:
    """End this process when the other side has hung up."""
    poll = select.poll()
    poll.register(connection, select.POLLRDHUP)
    poll.poll()
    os._exit(0)
