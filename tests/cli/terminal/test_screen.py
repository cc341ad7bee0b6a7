"""What the screen prints: nothing that a text from elsewhere could do to the terminal."""

from __future__ import annotations

import io
import json
import re
import unicodedata
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backstage.cli.exits import Exit
from backstage.cli.results import Result, render, tell_error
from backstage.cli.terminal.screen import Screen, harmless, harmless_line
from backstage.facts.states import State

# An escape, the right-to-left override, a zero-width space, C1, an isolate, a tag, half a sign.
BAD = "a\x1b]0;t\x07\u202e\u200b\x9b\u2066\U000e0041\ud800\rz"
SEEN = r"a\x1b]0;t\x07\u202e\u200b\x9b\u2066\U000e0041\ud800\x0dz"
_UNSEEN = re.compile(r"\x1b(?!\[[0-9;]*m)")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True

    encoding = "utf-8"  # type: ignore[assignment]


@pytest.mark.parametrize(
    "tell",
    [
        lambda screen: screen.line(BAD),
        lambda screen: screen.lines([[(BAD, ""), (BAD, "bold red")]]),
        lambda screen: screen.state_line(BAD, State.FAILING, BAD),
        lambda screen: screen.done_line(BAD, 1.0),
        lambda screen: screen.complain(BAD),
        lambda screen: screen.hint(BAD),
    ],
)
@pytest.mark.parametrize("stream", [io.StringIO, Terminal])
def test_whatever_is_printed_is_what_is_seen(
    tell: Callable[[Screen], None], stream: type[io.StringIO]
) -> None:
    """By each way to print, also by those whose caller has not thought of it."""
    out, err = stream(), stream()
    tell(Screen(out, err))
    told = out.getvalue() + err.getvalue()
    assert SEEN in told
    assert not _UNSEEN.search(told)
    assert all(sign.isprintable() for sign in re.sub(r"\x1b\[[0-9;]*m|\n", "", told))


def test_what_moves_shows_it_too() -> None:
    out = Terminal()
    screen = Screen(out, Terminal())
    with screen.moving():
        screen.lines([[(BAD, "bold")]])
    assert SEEN in out.getvalue()


@given(st.text())
def test_nothing_that_is_not_seen_is_left(text: str) -> None:
    """Marks and joiners within letters, and signs of which this Python knows nothing, are."""
    told = harmless(text)
    assert not {unicodedata.category(sign) for sign in told} & {"Cs", "Zl", "Zp"}
    assert not re.search(
        r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069]", told
    )
    assert "\n" not in harmless_line(text)
    assert harmless(told) == told


def test_words_of_any_language_stay() -> None:
    for text in ("faß: naïve …", "日本語", "हिन्दी", "עברית", "a\tb\nc", "✓ → ●"):
        assert harmless(text) == text
    assert harmless_line("running\nshop: failing") == r"running\nshop: failing"


def test_json_keeps_it_and_is_ascii() -> None:
    """So that a program gets what was said, and a terminal shows nothing else."""
    out, text = io.StringIO(), BAD + "\x7f\n"
    screen = Screen(out, io.StringIO())
    render("logs", Result({"text": text}, lambda _: None), screen, as_json=True)
    tell_error("logs", "Error", text, Exit.FAILED, screen, as_json=True)
    first, second = out.getvalue().splitlines()
    assert json.loads(first)["result"]["text"] == json.loads(second)["error"]["message"] == text
    assert all(0x20 <= ord(sign) < 0x7F for sign in first + second)
