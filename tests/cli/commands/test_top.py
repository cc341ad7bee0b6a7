"""What `backstage top` shows: order, selection and numbers, on screens of any size."""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterable
from dataclasses import dataclass, replace

import pytest

from backstage.cli.terminal import viewer
from backstage.cli.terminal.board import Board
from backstage.cli.terminal.columns import COLUMNS, document
from backstage.cli.terminal.keys import Key
from backstage.cli.terminal.meter import Meter, Reading
from backstage.cli.terminal.screen import Line, Screen
from backstage.facts.rates import Rates
from backstage.facts.snapshots import Snapshot
from backstage.facts.states import State
from tests.seen import IDLE

STOPPED = replace(IDLE, state=State.STOPPED, pid=None, workers=0, threads=0, memory=0)
FAILING = replace(STOPPED, state=State.FAILING, reason="No module named 'shop'")


def act(name: str, now: Snapshot = IDLE, requests: float = 0.0, cpu: float = 0.0) -> Rates:
    return Rates(replace(now, name=name), requests=requests, cpu=cpu, age=312.0)


def reading(*acts: Rates) -> Reading:
    return Reading(acts=acts, emperor=41, load=(0.5, 0.25, 0.125))


def screen_of(encoding: str = "utf-8") -> Screen:
    return Screen(io.TextIOWrapper(io.BytesIO(), encoding=encoding))


def board_of(*acts: Rates, encoding: str = "utf-8") -> Board:
    return Board(screen_of(encoding), "/srv/MyVenue", reading(*acts))


def texts(lines: Iterable[Line]) -> list[str]:
    return ["".join(text for text, _ in line) for line in lines]


def shown(board: Board, width: int = 80, height: int = 24) -> list[str]:
    return texts(board.lines(width, height, []))


def order(board: Board) -> list[str]:
    return [each.now.name for each in board.rows]


def marked(board: Board, height: int = 24) -> list[str]:
    """The names in the rows that are marked."""
    lines = board.lines(80, height, [])
    return [line[0][0].split()[1] for line in lines if line and line[0][1] == "reverse"]


MANY = [act(f"act{number:02}") for number in range(100)]
BUSY = replace(IDLE, busy=3, latency=0.2, memory=90_000_000, restarts=2, workers=2, pid=9, port=9)
A, B, C = act("a", requests=1.0, cpu=0.5), act("b", BUSY, cpu=0.9), act("c", requests=7.0)


def test_the_busiest_is_on_top_at_first() -> None:
    assert order(board_of(A, B, C)) == ["b", "a", "c"]


@pytest.mark.parametrize(
    ("key", "names"),
    [
        ("name", "abc"),
        ("requests", "cab"),
        *((key, "bac") for key in ("busy", "latency", "memory", "restarts", "workers")),
        ("port", "acb"),
        ("pid", "acb"),
    ],
)
def test_the_greatest_comes_first_and_equals_come_by_name(key: str, names: str) -> None:
    board = board_of(C, B, A)
    board.sort_by(key)
    assert order(board) == list(names)


@pytest.mark.parametrize("key", COLUMNS)
def test_sorting_by_the_same_again_turns_it_round(key: str) -> None:
    board = board_of(A, C)
    if key != "cpu":
        board.sort_by(key)
    seen = []
    for _ in range(3):
        seen.append(order(board))
        board.sort_by(key)
    differ = {"name", "requests", "cpu"}
    assert seen == [seen[0], seen[0][::-1] if key in differ else seen[0], seen[0]]


def test_what_needs_attention_is_the_greatest_state() -> None:
    board = board_of(act("a"), act("b", STOPPED), act("c", FAILING))
    board.sort_by("state")
    assert order(board) == ["c", "a", "b"]


def test_idle_acts_do_not_change_places() -> None:
    """Reading their state occasionally costs them a tick of the clock."""
    assert order(board_of(act("a"), act("b", cpu=0.0101))) == ["a", "b"]
    assert order(board_of(act("a"), act("b", cpu=0.02))) == ["b", "a"]


def test_columns_are_gone_through_round_and_round() -> None:
    board = board_of(A)
    titles = []
    for _ in COLUMNS:
        board.sort_beside(1)
        (title,) = (word for word in shown(board, width=200)[3].split() if word[-1] in "▲▼")
        titles.append(title[:-1])
    assert sorted(titles) == sorted(column.title for column in COLUMNS.values())
    board.sort_beside(-1)
    board.sort_beside(1)
    assert f"{titles[-1]}▼" in shown(board, width=200)[3]


def test_every_column_has_a_letter_of_its_own() -> None:
    letters = [column.letter for column in COLUMNS.values()]
    assert len(set(letters)) == len(letters)
    assert all(column.letter in column.title.lower() for column in COLUMNS.values())
    others = {*"qRSlgGs<>", *viewer._STEPS, *viewer._PAGES, *Key}
    assert not others & set(letters)


def test_the_letter_is_underlined_in_the_title() -> None:
    titles = board_of(A).lines(200, 24, [])[3]
    underlined = [text.lower() for text, style in titles if "underline" in style]
    assert underlined == [column.letter for column in COLUMNS.values()]


def test_whatever_is_on_top_is_selected_until_one_is_chosen() -> None:
    board = board_of(A, C)
    assert marked(board) == ["a"]
    board.reading = reading(A, C, B)
    assert marked(board) == ["b"]
    board.move(1)
    board.reading = reading(replace(A, cpu=0.99), B, C)
    assert order(board)[0] == "a"
    assert marked(board) == ["a"], "the chosen one is followed"
    board.sort_by("name")
    board.sort_by("name")
    assert marked(board) == ["a"]
    board.to_top()
    assert marked(board) == ["c"]


def test_the_selection_stops_at_both_ends() -> None:
    board = board_of(A, B, C)
    board.move(-1)
    assert marked(board) == ["b"]
    board.move(99)
    assert marked(board) == ["c"]
    board.move(-1)
    assert marked(board) == ["a"]


def test_another_one_is_selected_when_the_selected_is_gone() -> None:
    board = board_of(A, B)
    board.move(1)
    board.reading = reading(B)
    assert marked(board) == ["b"]
    board.reading = reading()
    assert board.selected is None
    board.move(1)
    assert "No Acts yet; create one: backstage new-act blog" in shown(board)


def test_it_scrolls_no_more_than_it_has_to() -> None:
    board = board_of(*MANY)
    board.sort_by("name")
    firsts = []
    for step in [*[1] * 99, *[-1] * 99]:
        board.move(step)
        assert board.selected
        assert marked(board) == [board.selected.now.name]
        firsts.append(shown(board)[4].split()[1])
    page = board.page
    moved = [first for first, _ in itertools.groupby(firsts)]
    there = [f"act{number:02}" for number in range(100 - page + 1)]
    assert moved == [*there, *reversed(there[:-1])]
    assert f"  1 to {page} of 100" in shown(board)


def test_it_scrolls_back_when_the_window_grows_or_acts_go() -> None:
    board = board_of(*MANY)
    board.move(99)
    assert "  82 to 99" not in shown(board)
    assert any(line.startswith("  83 to 100 of 100") for line in shown(board))
    assert any("act00" in line for line in shown(board, height=120))
    board.reading = reading(*MANY[:5])
    assert sum("act0" in line for line in shown(board)) == 5


@pytest.mark.parametrize("width", [20, 40, 79, 80, 81, 120, 200])
@pytest.mark.parametrize("height", [10, 24, 60])
@pytest.mark.parametrize("acts", [[], [A, act("c", FAILING)], MANY])
def test_lines_fill_the_screen_and_no_more(width: int, height: int, acts: list[Rates]) -> None:
    board = board_of(*acts)
    lines = shown(board, width, height)
    assert len(lines) == height
    # The terminal cuts the head where it does not fit.
    assert not acts or all(len(line.rstrip()) <= width for line in lines[3:])


def test_a_narrow_screen_lacks_what_matters_least() -> None:
    titles = {width: shown(board_of(A), width)[3].split() for width in (40, 55, 80, 200)}
    assert titles[40] == ["ACT", "STATE", "REQ/S", "CPU▼", "MEMORY"]
    assert titles[55] == ["ACT", "STATE", "BUSY", "REQ/S", "LATENCY", "CPU▼", "MEMORY"]
    assert {"PID", "WORKERS"}.isdisjoint(titles[80])
    assert {"UPTIME", "RESTARTS", "PORT"} < set(titles[80])
    assert len(titles[200]) == len(COLUMNS)


def test_what_it_is_sorted_by_is_always_there() -> None:
    board = board_of(A)
    board.sort_by("workers")
    assert shown(board, 40)[3].split() == ["ACT", "STATE", "WORKERS▼", "REQ/S", "CPU"]


def test_long_names_leave_room_for_the_numbers() -> None:
    board = board_of(act("x" * 64))
    line = shown(board)[4]
    assert line.startswith(f"● {'x' * 25}…  running")
    assert "60.0 MB" in line
    assert "x" * 64 in shown(board, 200)[4]


def test_columns_become_wider_but_not_narrower() -> None:
    board = board_of(act("a", requests=1234567.0))
    title = shown(board)[3].index("CPU")
    board.reading = reading(act("a"))
    assert shown(board)[3].index("CPU") == title


def test_one_row_in_full() -> None:
    board = board_of(act("blog", replace(BUSY, port=80, pid=42), requests=120.4, cpu=1.27))
    title, row = shown(board, 200)[3:5]
    assert title == (
        "  ACT   STATE    PORT  PID  BUSY  WORKERS  REQ/S  LATENCY  CPU▼   MEMORY  UPTIME  RESTARTS"
        "  RESTARTS/24H  DOWN/24H"
    )
    assert row.rstrip() == (
        "● blog  running    80   42   3/4        2    120   200 ms  127%  90.0 MB  5m 12s         2"
        "             -         -"
    )


def test_nothing_is_made_up_of_an_act_that_does_not_run() -> None:
    row = shown(board_of(act("blog", replace(STOPPED, port=8001))), 200)[4].split()
    assert row == ["○", "blog", "stopped", "8001", *"-----------"]


def test_the_head_has_the_sums() -> None:
    acts = [act("a", requests=1.5, cpu=0.5), act("b", requests=2.0, cpu=0.75)]
    head = shown(board_of(*acts, act("c", FAILING)))[:2]
    assert head == [
        "/srv/MyVenue   2 of 3 Acts running, 1 failing   Emperor pid 41",
        "3.5 requests/s   CPU 125%   memory 120.0 MB   load 0.50 0.25 0.12",
    ]


def test_without_an_emperor_it_says_what_to_type() -> None:
    board = board_of(A)
    board.reading = replace(board.reading, emperor=None)
    assert "backstage venue start" in shown(board, 120)[0]


def test_the_trouble_of_the_selected_is_told_alone() -> None:
    long = "No module named 'shop' " + "(/srv/MyVenue/acts/shop/shop/settings.py) " * 9
    failing = act("shop", replace(FAILING, reason=long, attempts=3, next_try=86_400.0))
    board = board_of(A, failing)
    assert not any("No module" in line for line in shown(board))
    board.move(1)
    foot = shown(board)[-4:-1]
    assert foot[0].startswith("shop: No module named 'shop' (/srv")
    assert all(len(line) <= 80 for line in foot)
    short = board_of(act("shop", replace(FAILING, attempts=3, next_try=86_400.0)))
    assert "shop: No module named 'shop' (tried 3 times, again at " in shown(short)[-2]


def test_names_and_reasons_do_nothing_to_the_terminal() -> None:
    """A file name may contain anything."""
    board = board_of(act("sh\x1b[2Jop", replace(FAILING, reason="\x1b[2Jgone")))
    assert "sh\\x1b[2Jop: \\x1b[2Jgone" in shown(board)
    assert not any("\x1b" in line for line in shown(board))


def test_the_keys_are_told_as_far_as_there_is_room() -> None:
    board = board_of(A, act("b", STOPPED))
    assert shown(board)[-1].rstrip().endswith("< > sort (or its letter)")
    assert shown(board, 60)[-1].rstrip() == "q quit   ↑↓ select   R restart   S stop   Enter log"
    assert shown(board, 20)[-1].rstrip() == "q quit   ↑↓ select"
    board.move(1)
    assert "S start" in shown(board)[-1]


def test_poor_terminals_get_ascii() -> None:
    board = board_of(A, act("x" * 64, replace(FAILING, reason="4 → 8")), encoding="ascii")
    board.move(1)
    for _ in COLUMNS:
        board.sort_beside(1)
        assert "\n".join(shown(board)).isascii()


def test_where_nobody_presses_keys_all_is_told() -> None:
    board = board_of(*MANY, act("shop", FAILING), act("zoo", FAILING))
    lines = texts(board.all_lines(10_000))
    assert sum(" running  " in line for line in lines) == 100
    assert lines[-3:] == ["", "shop: No module named 'shop'", "zoo: No module named 'shop'"]
    assert not any("quit" in line for line in lines)
    assert all(line == line.rstrip() for line in lines)


def test_programs_get_the_rates_too() -> None:
    told = document(act("blog", requests=1 / 3, cpu=0.125))
    assert told["state"] == "running"
    assert told["requests_per_second"] == 0.333
    assert told["cpu_share"] == 0.125
    assert told["latency"] == 0.0


@dataclass
class Look:
    """A Venue with one Act, the number of requests it has answered, and the time."""

    requests: int = 0
    at: float = 500.0
    pid: int | None = 41

    @property
    def emperor_pid(self) -> int | None:
        return self.pid

    def snapshot(self) -> tuple[Snapshot, ...]:
        return (replace(IDLE, name="blog", requests=self.requests),)

    def clock(self) -> float:
        return self.at


def test_rates_are_those_of_about_the_last_second() -> None:
    """A look shortly after another one, as after an event, does not make the rates jump."""
    venue = Look()
    meter = Meter(venue, venue.clock)  # type: ignore[arg-type]
    meter.look()
    measured = []
    for requests, at in [(5, 0.5), (10, 1.0), (20, 2.0), (21, 2.01), (21, 2.95), (21, 4.0)]:
        venue.requests, venue.at = requests, 500.0 + at
        measured.append(round(meter.look().requests, 2))
    assert measured == [10.0, 10.0, 10.0, 10.89, 0.0, 0.0]
