"""Follow the events of one Act in a test."""

from __future__ import annotations

from backstage.act import Act
from backstage.events.event import Event
from backstage.events.streams import EventStream
from backstage.facts.states import State
from backstage.system.deadlines import Deadline
from tests.patience import PATIENCE

RELOAD = (State.RELOADING, State.RUNNING)
STOP = (State.STOPPING, State.STOPPED)
START = (State.STARTING, State.RUNNING)


class Listener:
    """The events of one Act, in order; each must follow the one before."""

    def __init__(self, act: Act, stream: EventStream, last: State | None = None) -> None:
        self.act = act
        self.stream = stream
        self.last = last or act.state

    def next(self) -> Event:
        deadline = Deadline(PATIENCE)
        while event := self.stream.next_within(deadline.remaining):
            if event.act == self.act.name:
                assert event.before is self.last, f"{event} does not follow {self.last}"
                self.last = event.after
                return event
        raise AssertionError(f"no event after {self.last}; {self.act!r}")

    def until(self, state: State) -> list[Event]:
        """The events up to the first one that leads to a state."""
        events = [self.next()]
        while events[-1].after is not state:
            events.append(self.next())
        return events

    def sees(self, *path: State) -> list[Event]:
        """Exactly these changes, in this order."""
        events = [self.next() for _ in path]
        assert [event.after for event in events] == list(path), [str(event) for event in events]
        return events
