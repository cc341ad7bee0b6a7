"""Streams of events: one observer for each Venue and process, any number of listeners."""

from __future__ import annotations

import math
import os
import threading
import weakref
from collections.abc import Callable, Mapping
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Protocol

from ..status.survey import Survey
from ..system import lazy
from ..system.deadlines import Deadline
from .event import Event
from .history import Moment

if TYPE_CHECKING:
    from . import observer as observer_module
else:
    observer_module = lazy.module("backstage.events.observer")

# How soon a stream notices that its `stop_event` is set, in seconds.
_NOTICE = 0.1


class EventStream:
    """An iterator of events; it ends when it is closed, or after `timeout` seconds without one.

    Events are kept from the moment the stream is created. Close it, or use it in a `with`
    statement: the Venue is watched while any stream is open. In a forked child it has ended.
    """

    def __init__(
        self, broadcast: Broadcast, timeout: float | None, stop_event: threading.Event | None
    ) -> None:
        # How each Act was seen before the first event; empty if others were listening before.
        self.began: Mapping[str, Moment] = {}
        self._broadcast = broadcast
        self._timeout = timeout
        self._stop_event = stop_event
        self._queue: SimpleQueue[Event | BaseException | None] = SimpleQueue()
        self._owner = os.getpid()
        self._closed = False

    def __iter__(self) -> EventStream:
        return self

    def __next__(self) -> Event:
        patience = math.inf if self._timeout is None else self._timeout
        event = self.next_within(patience)
        if event is None:
            self.close()
            raise StopIteration
        return event

    def next_within(self, seconds: float) -> Event | None:
        """The next event; None if none comes in time, or if the stream has ended."""
        patience = Deadline(seconds)
        if self._closed or self._owner != os.getpid():
            return None
        while not (self._stop_event and self._stop_event.is_set()):
            pause = min(patience.remaining, _NOTICE if self._stop_event else math.inf)
            try:
                event = self._queue.get(timeout=None if pause == math.inf else pause)
            except Empty:
                if patience.expired:
                    return None
                continue
            if isinstance(event, BaseException):
                raise event
            return event
        return None

    def __enter__(self) -> EventStream:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()

    def put(self, event: Event | BaseException | None) -> None:
        """Add an event; an exception is raised to the reader, None ends the stream."""
        self._queue.put(event)

    def close(self) -> None:
        """End the stream; a second call does nothing."""
        if not self._closed:
            self._closed = True
            self.put(None)
            self._broadcast.leave(self)


class Observing(Protocol):
    """What sees the events of a Venue, and tells them one after the other."""

    def begin(self) -> None: ...
    def moments(self) -> Mapping[str, Moment]: ...
    def run(self) -> None: ...
    def close(self) -> None: ...


Tell = Callable[[Event], None]


class Broadcast:
    """Runs an observer while any stream is open, and sends each event to every stream."""

    def __init__(self, observe: Callable[[Tell], Observing], top: Path) -> None:
        """`observe` makes an observer of the Venue at `top`."""
        self._observe = observe
        self._top = top
        self._lock = threading.RLock()
        # Replaced, never changed, so that the observer's thread needs no lock to read it.
        self._streams: tuple[weakref.ref[EventStream], ...] = ()
        self._observer: Observing | None = None
        self._thread: threading.Thread | None = None
        _broadcasts.add(self)

    def listen(
        self, timeout: float | None = None, stop_event: threading.Event | None = None
    ) -> EventStream:
        """A stream of the events from now on."""
        stream = EventStream(self, timeout, stop_event)
        with self._lock:
            self._streams = (*self._streams, weakref.ref(stream))
            if self._observer is None:
                stream.began = self._start()
        return stream

    def leave(self, stream: EventStream) -> None:
        """Send no more events to a stream; the observer ends with the last stream."""
        with self._lock:
            self._streams = tuple(ref for ref in self._streams if ref() not in {None, stream})
            observer, thread = self._observer, self._thread
            if self._streams or not observer or not thread:
                return
            self._observer = self._thread = None
        observer.close()
        if thread is not threading.current_thread():
            thread.join()

    def close(self) -> None:
        """End every stream."""
        for ref in self._streams:
            if stream := ref():
                stream.close()

    def forget(self) -> None:
        """Reset in a forked child; the observer keeps running in the parent."""
        self._lock = threading.RLock()
        self._streams = ()
        self._observer = self._thread = None

    def _start(self) -> Mapping[str, Moment]:
        observer = self._observe(self._tell)
        observer.begin()
        began = observer.moments()
        name = f"backstage observer of {self._top}"
        thread = threading.Thread(target=self._run, args=[observer], name=name, daemon=True)
        thread.start()
        self._observer, self._thread = observer, thread
        return began

    def _run(self, observer: Observing) -> None:
        try:
            observer.run()
        except BaseException as error:  # noqa: BLE001 - raised again where the events are read
            with self._lock:
                if self._observer is observer:
                    self._observer = self._thread = None
                self._tell(error)

    def _tell(self, event: Event | BaseException) -> None:
        for ref in self._streams:
            if stream := ref():
                stream.put(event)


def of_survey(survey: Survey) -> Broadcast:
    """The events of a Venue, as this process sees them itself."""
    return Broadcast(lambda tell: observer_module.Observer(survey, tell), survey.paths.top)


_broadcasts: weakref.WeakSet[Broadcast] = weakref.WeakSet()


def _begin_anew() -> None:
    for broadcast in _broadcasts:
        broadcast.forget()


os.register_at_fork(after_in_child=_begin_anew)
