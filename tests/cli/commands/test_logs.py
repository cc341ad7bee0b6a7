"""`backstage logs`: what it shows of real log files, and its error messages."""

from __future__ import annotations

import io
import json
import re
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from backstage.cli.commands import logs
from backstage.cli.program import run
from backstage.cli.terminal.screen import Screen
from backstage.layout.paths import VenuePaths
from backstage.logs.source import LogLine
from backstage.operations.new_venue import configure

NOON = datetime(2022, 5, 1, 12, tzinfo=UTC).timestamp()


@pytest.fixture
def paths(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> VenuePaths:
    """A Venue with two Acts, one of which logged before noon and at noon."""
    paths = VenuePaths(tmp_path.resolve())
    configure(paths)
    for name in ("blog", "api"):
        paths.act(name).kept.write_text("[uwsgi]\n")
    add(paths.act("blog").log, NOON - 3600, "before", "  goes on")
    add(paths.act("blog").log, NOON, "noon")
    return paths


def add(path: Path, moment: float, *texts: str) -> None:
    """Append log lines; only the first has a timestamp."""
    told = datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%S+0000 ")
    with path.open("a") as file:
        file.write(told + "".join(f"{text}\n" for text in texts))


class Caller:
    """Calls the command and returns its output without the timestamps."""

    def __init__(self, top: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self._top = top
        self._capsys = capsys

    def shows(self, *words: str) -> list[str]:
        assert run(["logs", "--venue", str(self._top), *words]) == 0
        told = self._capsys.readouterr()
        assert told.err == ""
        return [re.sub(r"\S+\+0000 ", "", line) for line in told.out.splitlines()]

    def refuses(self, *words: str) -> tuple[int, str]:
        code = run(["logs", "--venue", str(self._top), *words])
        told = self._capsys.readouterr()
        assert told.out == ""
        return code, told.err


@pytest.fixture
def caller(paths: VenuePaths, capsys: pytest.CaptureFixture[str]) -> Caller:
    return Caller(paths.top, capsys)


def test_one_log_is_shown_as_it_is(caller: Caller) -> None:
    assert caller.shows("blog") == ["before", "  goes on", "noon"]
    assert caller.shows("blog", "blog", "-n", "2") == ["  goes on", "noon"]
    assert caller.shows("blog", "--lines", "0") == []
    assert caller.shows("api") == []


def test_several_are_told_apart(caller: Caller, paths: VenuePaths) -> None:
    """The width fits all possible sources, so that it never changes."""
    add(paths.act("api").log, NOON - 60, "almost")
    add(paths.emperor_log, NOON + 60, "after")
    assert caller.shows("blog", "api") == [
        "blog | before",
        "blog |   goes on",
        "api  | almost",
        "blog | noon",
    ]
    assert caller.shows("-n", "1") == ["api     | almost", "blog    | noon", "emperor | after"]


def test_the_log_of_the_emperor_has_two_ways_in(caller: Caller, paths: VenuePaths) -> None:
    add(paths.emperor_log, NOON + 60, "after")
    assert caller.shows("--emperor") == caller.shows("emperor") == ["after"]
    assert caller.shows("api", "--emperor") == ["emperor | after"]
    assert caller.shows("emperor", "api", "--emperor") == ["emperor | after"]


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        ("2022-05-01T12:00:00Z", ["noon"]),
        ("2022-05-01 14:00:00+02:00", ["noon"]),
        ("2022-05-01T11:00Z", ["before", "  goes on", "noon"]),
        ("2022-05-01T12:00:01Z", []),
        ("2022-04-29", ["before", "  goes on", "noon"]),
        ("2022-05-03", []),
        ("10m", []),
        ("99999d", ["before", "  goes on", "noon"]),
    ],
)
def test_since_a_moment(caller: Caller, moment: str, expected: list[str]) -> None:
    assert caller.shows("blog", "--since", moment) == expected


@pytest.mark.parametrize("ago", ["90s", "10m", "2h", "1d", "1h30m"])
def test_since_so_long_ago(caller: Caller, paths: VenuePaths, ago: str) -> None:
    add(paths.act("blog").log, time.time() - 60, "a minute ago")
    assert caller.shows("blog", "--since", ago) == ["a minute ago"]


def test_since_a_moment_all_lines_are_shown_unless_told_otherwise(
    caller: Caller, paths: VenuePaths
) -> None:
    add(paths.act("blog").log, NOON, *(f"{number}" for number in range(50)))
    assert len(caller.shows("blog")) == 20
    assert len(caller.shows("blog", "--since", "2022-05-01T12:00Z")) == 51
    assert len(caller.shows("blog", "--since", "2022-05-01T12:00Z", "-n", "30")) == 30


@pytest.mark.parametrize("moment", ["soon", "10", "10 m", "-5m", "2022-13-01", "29:00", ""])
def test_what_is_no_moment_is_refused_with_what_would_be_one(caller: Caller, moment: str) -> None:
    code, told = caller.refuses("blog", f"--since={moment}")
    assert code == 2
    assert f"'{moment}' is not a time; type an age such as 30s, 10m, 2h or 1d, a time of" in told


def test_an_age_that_is_longer_than_time_says_so(caller: Caller) -> None:
    code, told = caller.refuses("blog", f"--since={'9' * 20}d")
    assert code == 2
    assert f"'{'9' * 20}d' is too long ago to be a date" in told


def test_an_act_that_is_not_there(caller: Caller) -> None:
    code, told = caller.refuses("blgo")
    assert code == 3
    assert "no Act 'blgo'" in told


REQUEST = (
    "[pid: 7|app: 0|req: 2/5] ::1 () {28 vars in 314 bytes} [Sun May  1 12:00:02 2022] GET "
    "/x\x9b => generated 12 bytes in 31 msecs (HTTP/1.1 503) 7 headers in 214 bytes "
    "(1 switches on core 0)"
)


def test_only_some_records(caller: Caller, paths: VenuePaths) -> None:
    """`--lines` counts them."""
    add(paths.act("blog").log, NOON + 1, "ERROR one", "Traceback (most recent call last):", "  x")
    add(paths.act("blog").log, NOON + 1, "WARNING two")
    add(paths.act("blog").log, NOON + 1, "ERROR three")
    one = ["ERROR one", "Traceback (most recent call last):", "  x"]
    assert caller.shows("blog", "--errors") == [*one, "ERROR three"]
    assert caller.shows("blog", "--level", "warning") == [*one, "WARNING two", "ERROR three"]
    assert caller.shows("blog", "--level", "warning", "-n", "1") == ["ERROR three"]
    assert caller.shows("blog", "--grep", "^  x") == one
    assert caller.shows("blog", "--grep", "before|after") == ["before", "  goes on"]
    assert caller.shows("blog", "--grep", "on", "--errors") == one


def test_what_cannot_be_searched_for(caller: Caller) -> None:
    code, told = caller.refuses("blog", "--grep", "(")
    assert code == 2
    assert "'(' is not a regular expression: missing ), unterminated" in told
    assert caller.refuses("blog", "--level", "loud")[0] == 2


@pytest.mark.parametrize("level", ["warn", "WARNING", "Warning"])
def test_a_level_is_named_as_in_logs(caller: Caller, paths: VenuePaths, level: str) -> None:
    add(paths.act("blog").log, NOON + 1, "[WARNING] low on tea")
    assert caller.shows("blog", "--level", level) == ["[WARNING] low on tea"]


@pytest.mark.parametrize("since", ["yesterday", "Today", "0:00"])
def test_days_and_times_of_today(caller: Caller, paths: VenuePaths, since: str) -> None:
    today = datetime.now().replace(hour=0, minute=0, second=5).timestamp()
    add(paths.act("blog").log, today, "now")
    assert caller.shows("blog", "--since", since) == ["now"]


def test_a_request_is_whole_where_a_program_reads_it(caller: Caller, paths: VenuePaths) -> None:
    paths.act("api").log.write_text(f"{REQUEST}\n")
    assert caller.shows("api") == [REQUEST.replace("\x9b", "\\x9b")]


def test_a_request_is_one_short_line_for_people() -> None:
    """What the visitor sent has no power over the terminal there either."""
    told = io.StringIO()
    logs.shown(LogLine("api", None, REQUEST), 0, short=True)(Screen(told))
    assert told.getvalue() == "2022-05-01 12:00:02 GET /x\\x9b 503 31 ms\n"


def test_programs_get_an_envelope_for_each_line(
    paths: VenuePaths, capsys: pytest.CaptureFixture[str]
) -> None:
    """The text is unchanged; this is safe because JSON escapes control characters."""
    add(paths.act("blog").log, NOON + 1, "caf\N{LATIN SMALL LETTER E WITH ACUTE} \x1b[2J")
    (paths.act("api").log).write_text("who knows when\n")
    words = ["logs", "--venue", str(paths.top), "-n", "1", "--json"]
    assert run(words) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {(line["backstage"], line["command"], line["ok"]) for line in lines} == {
        (1, "logs", True)
    }
    assert [line["result"] for line in lines] == [
        {"source": "api", "at": None, "text": "who knows when"},
        {
            "source": "blog",
            "at": NOON + 1,
            "text": "2022-05-01T12:00:01+0000 caf\N{LATIN SMALL LETTER E WITH ACUTE} \x1b[2J",
        },
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\x1b[31mred\x1b[0m \x1b[38;5;3mand\x1b[m \x1b[38:2::1:2:3mmore", "red and more"),
        ("\x1b[2J\x1b]0;title\x07", "\\x1b[2J\\x1b]0;title\\x07"),
        ("over\rwritten\x08 \x9b31m \x7f", "over\\x0dwritten\\x08 \\x9b31m \\x7f"),
        ("a\tb\x0bc\x0cd", "a\tb\\x0bc\\x0cd"),
        ("\x1b\x1b[0m[31m", "\\x1b[31m"),
    ],
)
def test_lines_have_no_power_over_the_terminal(
    caller: Caller, paths: VenuePaths, text: str, expected: str
) -> None:
    with paths.act("api").log.open("w", newline="") as file:
        file.write(f"{text}\n")
    assert caller.shows("api") == [expected]


class Painted(Screen):
    """A stream that claims to be a colour terminal."""

    has_colour = True  # type: ignore[assignment]


def test_each_source_has_a_colour_of_its_own() -> None:
    """A source always has the same colour; its text has none."""
    told = io.StringIO()
    for source in ("blog", "shop", "blog"):
        logs.shown(LogLine(source, None, "x\x1b[31m"), 5, short=False)(Painted(told))
    first, second, third = told.getvalue().splitlines()
    assert first == third
    assert first.split("blog")[0] != second.split("shop")[0]
    assert [line.partition("\x1b[0m")[2] for line in (first, second)] == [" x", " x"]
