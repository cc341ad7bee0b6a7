"""The live screen of `backstage top`."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Event, Thread
from typing import TYPE_CHECKING

from ...batches import Outcome, Verb
from ...errors import BackstageError
from ...facts.snapshots import Snapshot
from ...facts.states import PASSING, State
from ...system.deadlines import Deadline
from ..session import Session
from .board import Board, wrapped
from .columns import COLUMNS
from .keys import Key, Keys
from .meter import Meter, Reading
from .screen import Line, harmless

if TYPE_CHECKING:
    from rich.console import Group

    from ...events.streams import EventStream

# Numbers are updated every `_BEAT` seconds; states at once, but at most every `_LEAST` seconds.
_BEAT = 1.0
_LEAST = 0.1
# An open log is read this often.
_LOG_BEAT = 0.25
# The outcome of a restart stays visible for this many seconds.
_STAY = 10.0
_STEPS: dict[str, int] = {Key.UP: -1, "k": -1, Key.DOWN: 1, "j": 1}
_PAGES: dict[str, int] = {Key.PAGE_UP: -1, Key.PAGE_DOWN: 1}
_BESIDE = {"<": -1, ">": 1, "s": 1}
_LETTERS = {column.letter: key for key, column in COLUMNS.items()}
_DOING = {Verb.START: "starting", Verb.STOP: "stopping", Verb.RESTART: "restarting"}


@dataclass(frozen=True)
class _Done:
    """The outcome of an operation on an Act."""

    act: str
    doing: str
    told: str
    well: bool


class Viewer:
    """Shows a Venue until the user quits.

    Only the main thread draws, reads keys and changes the viewer's state. Other threads watch the
    Venue and wait for Acts; they put their results into the inbox.
    """

    def __init__(self, session: Session) -> None:
        self._venue = session.venue
        self._screen = session.screen
        self._under_way = session.under_way
        self._meter = Meter(session.venue)
        self._meter.look()
        self._begun: dict[str, str] = {}
        self._inbox: SimpleQueue[Reading | _Done | BaseException] = SimpleQueue()
        self._keys = Keys(sys.stdin.fileno())
        self._ended = Event()
        self._outcome: tuple[_Done, Deadline] | None = None
        # The Act whose log is shown, and the one to stop if the next key confirms it.
        self._read = ""
        self._asked = ""

    def run(self) -> None:
        """Run until the user quits."""
        with ExitStack() as ending:
            events = ending.enter_context(self._venue.events())
            self._board = Board(self._screen, str(self._venue.path), self._meter.look())
            ending.enter_context(self._keys)
            ending.callback(self._ended.set)
            Thread(target=self._watch, args=[events], name="backstage top", daemon=True).start()
            while self._is_suspended():
                self._keys.suspend()
        self._forget_unfinished()

    def _is_suspended(self) -> bool:
        """Show the screen; return True when it is suspended, False when the user quits."""
        from rich.live import Live

        console = self._screen.console
        with Live(console=console, screen=True, auto_refresh=False) as live:
            while True:
                self._take_news()
                live.update(_painted(self._lines(*console.size)), refresh=True)
                for key in self._keys.wait(_LOG_BEAT if self._read else _BEAT):
                    if key in (Key.SUSPEND, Key.HANGUP) or (key == "q" and not self._read):
                        return key == Key.SUSPEND
                    self._press(key)

    def _forget_unfinished(self) -> None:
        """A restart whose new code is still being tried ends with this process."""
        for doing, name in self._begun.items():
            if self._venue.act(name).state not in PASSING:
                self._under_way.discard(doing)

    # In other threads

    def _watch(self, events: EventStream) -> None:
        try:
            while not self._ended.is_set():
                calm = Deadline(_LEAST)
                if events.next_within(_BEAT):
                    self._ended.wait(calm.remaining)
                    while events.next_within(0):
                        pass
                self._tell(self._meter.look())
        except BaseException as error:  # noqa: BLE001 raised again in the main thread
            self._tell(error)

    def _carry_out(self, verb: Verb, name: str, doing: str) -> None:
        try:
            for outcome in self._venue.each(verb, [name]):
                self._tell(_done(doing, outcome))
        except BackstageError as error:
            self._tell(_Done(name, doing, error.at_shell, well=False))
        except BaseException as error:  # noqa: BLE001 raised again in the main thread
            self._tell(error)

    def _tell(self, news: Reading | _Done | BaseException) -> None:
        self._inbox.put(news)
        self._keys.wake()

    # In the main thread

    def _take_news(self) -> None:
        with suppress(Empty):
            while True:
                news = self._inbox.get_nowait()
                if isinstance(news, BaseException):
                    raise news
                if isinstance(news, Reading):
                    self._board.reading = news
                else:
                    self._under_way.discard(news.doing)
                    self._outcome = (news, Deadline(_STAY))

    def _press(self, key: str) -> None:
        board, asked = self._board, self._asked
        self._asked = ""
        if asked:
            if key in ("y", "Y"):
                self._begin(Verb.STOP, asked)
        elif self._read:
            self._read = ""
        elif key in _STEPS:
            board.move(_STEPS[key])
        elif key in _PAGES:
            board.move(_PAGES[key] * board.page)
        elif key in (Key.HOME, "g"):
            board.to_top()
        elif key in (Key.END, "G"):
            board.move(len(board.reading.acts))
        elif key in _LETTERS:
            board.sort_by(_LETTERS[key])
        elif key in _BESIDE:
            board.sort_beside(_BESIDE[key])
        elif board.selected:
            self._act_on(board.selected.now, key)

    def _act_on(self, act: Snapshot, key: str) -> None:
        if key == "R":
            self._begin(Verb.RESTART, act.name)
        elif key == "S" and act.state is State.STOPPED:
            self._begin(Verb.START, act.name)
        elif key == "S":
            self._asked = act.name
        elif key in (Key.ENTER, "l"):
            self._read = act.name

    def _begin(self, verb: Verb, name: str) -> None:
        doing = f"{_DOING[verb]} {name}"
        if doing in self._under_way:
            return
        self._under_way.add(doing)
        self._begun[doing] = name
        self._outcome = None
        work = (verb, name, doing)
        Thread(target=self._carry_out, args=work, name=f"backstage {verb}", daemon=True).start()

    # What is shown

    def _lines(self, width: int, height: int) -> list[Line]:
        if self._read:
            return self._log(width, height)
        return self._board.lines(width, height, self._notes(width))

    def _log(self, width: int, height: int) -> list[Line]:
        from rich.cells import chop_cells

        act, room = self._venue.act(self._read), max(1, height - 2)
        lines = harmless(self._screen.plain(act.log_tail(room))).split("\n")
        rows = [row for line in lines for row in chop_cells(line.expandtabs(), width) or [""]]
        last = rows[-room:]
        return [
            [(harmless(act.name), "bold"), (f"  {harmless(str(act.paths.log))}", "dim")],
            *([(row, "")] for row in last),
            *([] for _ in range(room - len(last))),
            [("any key", "bold"), (" back", "dim")],
        ]

    def _notes(self, width: int) -> list[Line]:
        if self._asked:
            question = f"Stop {harmless(self._asked)}?"
            return [[(question, "bold yellow"), ("  y", "bold"), (" yes, any other key no", "")]]
        notes: list[Line] = []
        if self._under_way:
            going = f"{', '.join(sorted(self._under_way))} …"
            notes.append([(self._screen.plain(harmless(going)), "yellow")])
        if self._outcome and not self._outcome[1].expired:
            notes += self._outcome_lines(self._outcome[0], width)
        return notes

    def _outcome_lines(self, done: _Done, width: int) -> list[Line]:
        selected = self._board.selected
        if not done.well and selected and selected.now.name == done.act and selected.now.reason:
            # The board already shows it.
            return []
        told = self._screen.plain(harmless(done.told))
        return wrapped(told, width, "green" if done.well else "red")


def _done(doing: str, outcome: Outcome) -> _Done:
    now = outcome.now
    if outcome.error:
        return _Done(now.name, doing, str(outcome.error).partition("\n")[0], well=False)
    told = f"{now.name} is {now.state}, after {outcome.seconds:.1f} s"
    return _Done(now.name, doing, told, well=True)


def _painted(lines: Iterable[Line]) -> Group:
    """The lines as a rich group, each cropped to one screen line."""
    from rich.console import Group
    from rich.text import Text

    return Group(*(Text.assemble(*line, no_wrap=True, overflow="crop") for line in lines))
