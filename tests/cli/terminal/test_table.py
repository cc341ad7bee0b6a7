"""The table of `backstage status`, and lines on all kinds of terminal."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest

from backstage.cli.terminal.screen import Line, Screen
from backstage.cli.terminal.table import table
from backstage.facts.rates import Rates
from backstage.facts.states import State
from tests.seen import IDLE

BLOG = replace(IDLE, restarts=12)
SHOP = replace(BLOG, name="shop_of_ann", state=State.FAILING, port=None, pid=None)
LINES: list[Line] = [[("sign ", "bold red"), ("text", "")], [], [("→", "dim")]]


class Terminal(io.StringIO):
    """A stream that claims to be a terminal."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def usual(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal with common settings."""
    monkeypatch.setenv("TERM", "xterm")
    for name in ("NO_COLOR", "LC_ALL"):
        monkeypatch.delenv(name, raising=False)


def drawn(out: io.StringIO, *keys: str) -> list[Line]:
    acts = [Rates(now, requests=0.0, cpu=0.0, age=7.0) for now in (BLOG, SHOP)]
    return list(table(Screen(out), keys, acts))


def texts(lines: list[Line]) -> list[str]:
    return ["".join(text for text, _ in line) for line in lines]


def test_columns_are_as_wide_as_they_need_to_be() -> None:
    assert texts(drawn(Terminal(), "name", "state", "port", "restarts")) == [
        "  ACT          STATE    PORT  RESTARTS",
        "● blog         running  8001        12",
        "✗ shop_of_ann  failing     -         -",
    ]


def test_states_give_names_their_styles() -> None:
    titles, blog, shop = drawn(Terminal(), "port", "state")
    assert [style for _, style in titles] == ["dim", "dim"]
    assert [style for _, style in blog] == ["", "green"]
    assert [style for _, style in shop] == ["", "bold red"]


def test_long_names_are_cut_where_there_is_no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "21")
    assert texts(drawn(Terminal(), "name", "state"))[2] == "✗ shop_of_a…  failing"
    monkeypatch.setenv("COLUMNS", "5")
    assert texts(drawn(Terminal(), "name", "state"))[2] == "✗ shop_of_a…  failing"
    assert texts(drawn(io.StringIO(), "name", "state"))[2] == "x shop_of_ann  failing"


def test_names_do_nothing_to_the_terminal() -> None:
    rates = Rates(replace(BLOG, name="a\033[2Jb"), requests=0.0, cpu=0.0, age=0.0)
    assert texts(list(table(Screen(Terminal()), ["name"], [rates])))[1] == r"● a\x1b[2Jb"


def test_lines_have_their_styles_on_a_terminal() -> None:
    out = Terminal()
    Screen(out).lines(LINES)
    assert out.getvalue() == "\033[31m\033[1msign \033[0mtext\n\n\033[2m→\033[0m\n"


def test_who_wants_no_colour_gets_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    out = Terminal()
    Screen(out).lines([*LINES, [("green", "green")]])
    assert out.getvalue() == "\033[1msign \033[0mtext\n\n\033[2m→\033[0m\ngreen\n"


def test_programs_get_nothing_but_the_text() -> None:
    out = io.StringIO()
    Screen(out).lines(LINES)
    assert out.getvalue() == "sign text\n\n->\n"


def test_what_moves_is_the_same_in_the_same_place() -> None:
    out = Terminal()
    screen = Screen(out)
    with screen.moving():
        screen.lines(LINES)
    assert "\033[1;31msign \033[0mtext" in out.getvalue()
    assert "\033[2m→\033[0m" in out.getvalue()
