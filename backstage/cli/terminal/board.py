"""The screen of `backstage top`: lines that fit a terminal of any size."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence

from ...facts.rates import Rates
from ...facts.states import State
from . import wording
from .columns import COLUMNS, Column, trouble
from .meter import Reading
from .screen import Line, Screen, harmless

# A narrow screen leaves out the last of these.
_BY_IMPORTANCE = (
    *("name", "state", "requests", "cpu", "memory", "busy"),
    *("latency", "uptime", "restarts", "port", "pid", "workers"),
    *("restarts-24h", "down-24h"),
)
_GAP = "  "
# Names may take this share of the width.
_NAMES = 1 / 3
_MOST_LINES = 3


class Board:
    """The table of Acts, its order, and the selected Act.

    Until the user chooses an Act, the top row is selected; a chosen Act stays selected wherever it
    moves.
    """

    def __init__(self, screen: Screen, venue_name: str, reading: Reading) -> None:
        self.reading = reading
        # How many Acts are visible.
        self.page = 1
        self._screen = screen
        self._venue = venue_name
        self._sort = "cpu"
        self._flipped = False
        self._chosen = ""
        self._first = 0
        # Columns never shrink, so that little moves.
        self._widest = dict.fromkeys(COLUMNS, 0)

    @property
    def rows(self) -> list[Rates]:
        """The Acts in the order they are shown."""
        downwards = self._flipped and self._sort == "name"
        rows = sorted(self.reading.acts, key=lambda each: each.now.name, reverse=downwards)
        return sorted(rows, key=COLUMNS[self._sort].order, reverse=not self._flipped)

    @property
    def selected(self) -> Rates | None:
        """The Act that keys apply to; None if there is no Act."""
        rows = self.rows
        return rows[self._index(rows)] if rows else None

    def move(self, by: int) -> None:
        """Choose the Act `by` rows below, stopping at the ends of the table."""
        rows = self.rows
        if rows:
            index = min(max(self._index(rows) + by, 0), len(rows) - 1)
            self._chosen = rows[index].now.name

    def to_top(self) -> None:
        """Choose no Act, which selects the top row."""
        self._chosen = ""

    def sort_by(self, key: str) -> None:
        """Sort by a column; if it is the current one, reverse the order."""
        self._flipped = key == self._sort and not self._flipped
        self._sort = key

    def sort_beside(self, step: int) -> None:
        """Sort by the column `step` places to the right, wrapping around."""
        keys = list(COLUMNS)
        self.sort_by(keys[(keys.index(self._sort) + step) % len(keys)])

    def lines(self, width: int, height: int, notes: Sequence[Line]) -> list[Line]:
        """A whole screen: header, table, and at the bottom the notes and keys.

        The table scrolls to keep the selected Act visible. If that Act is failing, the reason is
        shown.
        """
        rows = self.rows
        index = self._index(rows)
        head = self._head()
        foot = [*(self._trouble(rows[index], width) if rows else []), *notes, self._hints(width)]
        self.page = room = max(1, height - len(head) - len(foot) - 2)
        self._first = max(min(self._first, index, len(rows) - room), index - room + 1, 0)
        shown = rows[self._first : self._first + room]
        table = self._table(rows, shown, width, index - self._first)
        blank: list[Line] = [[] for _ in range(room - len(shown))]
        return [*head, *table, *blank, self._sight(len(shown), len(rows)), *foot]

    def all_lines(self, width: int) -> list[Line]:
        """All Acts and the reasons of failures, for output without a terminal."""
        rows = self.rows
        trouble = [line for each in rows for line in self._trouble(each, width)]
        lines = [*self._head(), *self._table(rows, rows, width)]
        return [*lines, [], *trouble] if trouble else lines

    def _sight(self, shown: int, count: int) -> Line:
        if shown == count:
            return []
        return [(f"{_GAP}{self._first + 1} to {self._first + shown} of {count}", "dim")]

    def _index(self, rows: Sequence[Rates]) -> int:
        names = [each.now.name for each in rows]
        return names.index(self._chosen) if self._chosen in names else 0

    def _head(self) -> list[Line]:
        reading = self.reading
        pid = reading.emperor
        emperor = f"Emperor pid {pid}" if pid else "no Emperor (start one: backstage venue start)"
        acts = wording.count(len(reading.acts), "Act")
        first = [
            (self._screen.plain(harmless(self._venue)), "bold"),
            (f"   {reading.count(State.RUNNING)} of {acts} running", ""),
        ]
        first += [
            (f", {count} {state}", self._screen.style(state))
            for state in (State.UNHEALTHY, State.FAILING)
            if (count := reading.count(state))
        ]
        first.append((f"   {emperor}", ""))
        second = [
            (f"{wording.rate(reading.requests)} requests/s", ""),
            (f"   CPU {reading.cpu:.0%}   memory {wording.size(reading.memory)}", ""),
            (f"   load {' '.join(f'{each:.2f}' for each in reading.load)}", ""),
        ]
        return [first, second, []]

    def _table(
        self, rows: Sequence[Rates], shown: Iterable[Rates], width: int, marked: int = -1
    ) -> list[Line]:
        if not rows:
            return [[("No Acts yet; create one: backstage new-act blog", "")]]
        widths = self._fitting(self._widths(rows, width), width)
        lines = [self._titles(widths)]
        for number, each in enumerate(shown):
            line = self._row(each, widths)
            lines.append(_reversed(line, width) if number == marked else line)
        return lines

    def _widths(self, rows: Sequence[Rates], width: int) -> dict[str, int]:
        for key, column in COLUMNS.items():
            self._widest[key] = max(self._widest[key], *(len(column.cell(each)) for each in rows))
        widths = {key: max(self._widest[key], len(self._title(key))) for key in COLUMNS}
        return {**widths, "name": min(widths["name"], int(width * _NAMES))}

    def _fitting(self, widths: Mapping[str, int], width: int) -> dict[str, int]:
        """The columns that fit, in their order.

        The name and the sort column always stay.
        """
        kept: set[str] = set()
        room = width
        for key in dict.fromkeys(("name", self._sort, *_BY_IMPORTANCE)):
            room -= len(_GAP) + widths[key]
            if room < 0:
                break
            kept.add(key)
        return {key: widths[key] for key in COLUMNS if key in kept}

    def _title(self, key: str) -> str:
        if key != self._sort:
            return COLUMNS[key].title
        rises = self._flipped is not (key == "name")
        if self._screen.has_unicode:
            return f"{COLUMNS[key].title}{'▲' if rises else '▼'}"
        return f"{COLUMNS[key].title}{'^' if rises else 'v'}"

    def _titles(self, widths: Mapping[str, int]) -> Line:
        line: list[tuple[str, str]] = []
        for key, width in widths.items():
            column, title = COLUMNS[key], self._title(key)
            style = "bold" if key == self._sort else "dim"
            at = title.lower().index(column.letter)
            before, after = _blanks(title, width, column)
            line += [
                (f"{_GAP}{before}{title[:at]}", style),
                (title[at], f"{style} underline"),
                (f"{title[at + 1 :]}{after}", style),
            ]
        return line

    def _row(self, rates: Rates, widths: Mapping[str, int]) -> Line:
        style = self._screen.style(rates.now.state)
        line: list[tuple[str, str]] = []
        for key, width in widths.items():
            column = COLUMNS[key]
            text = self._cut(column.cell(rates), width)
            before, after = _blanks(text, width, column)
            gap = (f"{self._screen.sign(rates.now.state)} ", style) if not line else (_GAP, "")
            line += [gap, (f"{before}{text}{after}", style if key == "state" else "")]
        return line

    def _cut(self, text: str, width: int) -> str:
        if len(text) <= width:
            return text
        more = self._screen.plain("…")
        return text[: max(0, width - len(more))] + more

    def _trouble(self, rates: Rates, width: int) -> list[Line]:
        told, name = self._screen.plain(trouble(rates.now)), harmless(rates.now.name)
        if not told:
            return []
        lines = wrapped(f"{name}: {told}", width)
        first = lines[0][0][0]
        return [
            [(name, self._screen.style(rates.now.state)), (first[len(name) :], "")],
            *lines[1:],
        ]

    def _hints(self, width: int) -> Line:
        selected = self.selected
        stopped = selected is not None and selected.now.state is State.STOPPED
        hints = {
            "q": "quit",
            "↑↓" if self._screen.has_unicode else "j k": "select",
            "R": "restart",
            "S": "start" if stopped else "stop",
            "Enter": "log",
            "< >": "sort (or its letter)",
        }
        line: list[tuple[str, str]] = []
        for key, meaning in hints.items():
            width -= len(f"{key} {meaning}   ")
            if width < -len("   "):
                break
            line += [(key, "bold"), (f" {meaning}   ", "dim")]
        return line


def wrapped(text: str, width: int, style: str = "") -> list[Line]:
    """A text wrapped to a width, at most three lines of it."""
    return [[(line, style)] for line in textwrap.wrap(text, width)[:_MOST_LINES]]


def _blanks(text: str, width: int, column: Column) -> tuple[str, str]:
    """The padding before and after a cell."""
    blanks = " " * (width - len(text))
    return (blanks, "") if column.right else ("", blanks)


def _reversed(line: Line, width: int) -> Line:
    return [("".join(text for text, _ in line).ljust(width), "reverse")]
