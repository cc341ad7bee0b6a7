"""The format that programs read: `--json` prints it and nothing else."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from backstage.cli.exits import Exit
from backstage.cli.program import SECTIONS, run
from backstage.cli.results import VERSION, Result, Stream, render, render_error
from backstage.cli.terminal.screen import Screen
from backstage.errors import NoSuchAct

COMMANDS = [name for rows in SECTIONS.values() for name in rows]
ERROR = {"kind", "message", "exit"}


@pytest.fixture
def written() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def screen(written: io.StringIO) -> Screen:
    return Screen(written, io.StringIO())


def envelope(capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    """The only line on standard output; standard error is empty."""
    out, err = capsys.readouterr()
    assert err == ""
    [line] = out.splitlines()
    found: dict[str, object] = json.loads(line)
    return found


def show_nothing(screen: Screen) -> None:
    """Shows a result to people, which no test here asks for."""
    raise AssertionError


def test_the_version_of_the_format_is_a_promise() -> None:
    """Raise it when a field is changed or removed, but not when one is added."""
    assert VERSION == 1


def test_a_result(screen: Screen, written: io.StringIO) -> None:
    result = Result({"port": 8001, "reason": "not\non two lines → …"}, show_nothing)
    assert render("port", result, screen, as_json=True) == 0
    assert written.getvalue() == (
        '{"backstage": 1, "command": "port", "ok": true, "result": '
        '{"port": 8001, "reason": "not\\non two lines \\u2192 \\u2026"}}\n'
    )


@pytest.mark.parametrize(("code", "ok"), [(0, True), (Exit.DONE, True), (1, False), (130, False)])
def test_ok_is_exit_code_0(screen: Screen, written: io.StringIO, code: int, ok: bool) -> None:
    assert render("manage", Result({}, show_nothing, code), screen, as_json=True) == code
    assert json.loads(written.getvalue())["ok"] is ok


def test_an_error(screen: Screen, written: io.StringIO) -> None:
    error = NoSuchAct("blgo", Path("/srv"), ("blog",))
    assert render_error("port", error, screen, as_json=True) is Exit.NOT_THERE
    assert json.loads(written.getvalue()) == {
        "backstage": 1,
        "command": "port",
        "ok": False,
        "error": {"kind": "NoSuchAct", "message": str(error), "exit": 3},
    }


def test_results_are_printed_as_they_come(screen: Screen, written: io.StringIO) -> None:
    lines: list[int] = []

    def results() -> Iterator[Result]:
        for code in (Exit.DONE, Exit.LATE, Exit.FAILED):
            yield Result({"exit": code}, show_nothing, code)
            lines.append(len(written.getvalue().splitlines()))

    assert render("start", Stream(results()), screen, as_json=True) is Exit.LATE
    assert lines == [1, 2, 3]
    envelopes = [json.loads(line) for line in written.getvalue().splitlines()]
    assert [each["ok"] for each in envelopes] == [True, False, False]


def test_a_stream_is_over_when_it_is_interrupted(screen: Screen) -> None:
    """Even while a result is shown: no live output continues below the last message."""
    over: list[bool] = []

    def interrupted(screen: Screen) -> None:
        raise KeyboardInterrupt

    def results() -> Iterator[Result]:
        try:
            yield Result({}, interrupted)
        finally:
            over.append(True)

    stream = Stream(results())
    with pytest.raises(KeyboardInterrupt):
        render("status", stream, screen, as_json=False)
    assert over


@pytest.mark.parametrize("words", [["--json"], []], ids=["before", "behind"])
@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_tells_misuse_in_an_envelope(
    name: str, words: Sequence[str], capsys: pytest.CaptureFixture[str]
) -> None:
    behind = [] if words else ["--json"]
    assert run([*words, name, *behind, "--no-such-option"]) == Exit.USAGE
    told = envelope(capsys)
    assert told.keys() == {"backstage", "command", "ok", "error"}
    assert (told["backstage"], told["command"], told["ok"]) == (1, name, False)
    assert isinstance(told["error"], dict)
    assert told["error"].keys() == ERROR
    assert (told["error"]["kind"], told["error"]["exit"]) == ("UsageError", 2)


def test_no_command_is_an_error_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--json"]) == Exit.USAGE
    assert envelope(capsys)["command"] == "backstage"
    assert run(["--json", "statsu"]) == Exit.USAGE
    told = envelope(capsys)["error"]
    assert isinstance(told, dict)
    assert told["message"] == "no command 'statsu'; did you mean: backstage status"


@pytest.mark.parametrize(
    "words",
    [
        ["--venue", "/nowhere/status", "port", "blog", "--json"],
        ["--json", "port", "status", "--venue=/nowhere"],
        ["port", "--json", "--venue", "/nowhere", "blog"],
    ],
)
def test_the_command_is_named_whatever_stands_around_it(
    words: Sequence[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(words) == Exit.NOT_THERE
    told = envelope(capsys)
    assert told["command"] == "port"
    assert isinstance(told["error"], dict)
    assert told["error"]["kind"] == "NotAVenue"
