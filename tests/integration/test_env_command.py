"""`backstage env`, with a real Act."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from backstage.act import Act
from backstage.shortcuts import new_act
from backstage.venue import Venue

from .calling import call, terminal
from .conftest import fetch


@pytest.fixture(scope="module")
def running(venue: Venue) -> Iterator[Act]:
    act = new_act(venue, "configured")
    yield act
    act.retire()


@pytest.fixture
def act(running: Act) -> Iterator[Act]:
    """The Act, with nothing but a SECRET_KEY in its .env before and after."""
    text = running.env.path.read_text()
    yield running
    running.env.path.write_text(text)


def env(act: Act, *words: str, typed: str = "") -> CompletedProcess[str]:
    return call("env", act.name, *words, cwd=act.paths.venue.top, typed=typed)


def result(act: Act, *words: str) -> dict[str, Any]:
    envelope: dict[str, Any] = json.loads(env(act, *words, "--json").stdout)
    assert envelope["ok"]
    return dict(envelope["result"])


@pytest.mark.slow
@pytest.mark.parametrize("words", [(), ("list",)])
def test_secrets_are_listed_only_when_asked_for(act: Act, words: tuple[str, ...]) -> None:
    act.env.set(DATABASE_URL="postgres://me:hush@db/blog", DEBUG="off")
    shown = env(act, *words).stdout
    assert shown == (
        "SECRET_KEY=********\nDATABASE_URL=postgres://me:********@db/blog\nDEBUG=off\n"
    )
    revealed = env(act, *words, "--reveal").stdout
    assert f"SECRET_KEY={act.env['SECRET_KEY']}\n" in revealed
    assert "me:hush@db" in revealed


@pytest.mark.slow
def test_the_list_for_programs_is_masked_as_well(act: Act) -> None:
    assert result(act) == {
        "act": act.name,
        "path": str(act.paths.env_file),
        "variables": {"SECRET_KEY": "********"},
        "masked": True,
        "unread": [],
    }
    assert result(act, "--reveal")["variables"] == dict(act.env)


def test_lines_that_django_passes_over_are_told(act: Act) -> None:
    with act.env.path.open("a") as file:
        file.write("DEBUG = on\n")
    told = env(act)
    assert "DEBUG" not in told.stdout
    assert "Django ignores lines that are not KEY=VALUE without spaces: line 3" in told.stderr


@pytest.mark.slow
def test_what_is_set_waits_for_a_restart_and_says_what_to_type(act: Act) -> None:
    told = env(act, "set", "DEBUG=on", "DEFAULT_FROM_EMAIL=me <me@example.com>")
    assert told.stdout == f"{act.name}: set DEBUG, DEFAULT_FROM_EMAIL\n"
    assert told.stderr == f"To apply it, type: backstage restart {act.name}\n"
    assert stat.S_IMODE(act.paths.env_file.stat().st_mode) == 0o600
    assert act.env["DEFAULT_FROM_EMAIL"] == "me <me@example.com>"
    assert "DEBUG = True" not in fetch(act, "no/such/page")[1]
    again = env(act, "set", "DEBUG=on")
    assert (again.stdout, again.stderr) == (f"{act.name}: nothing has changed\n", "")


@pytest.mark.slow
def test_a_restart_makes_it_so(act: Act) -> None:
    told = env(act, "set", "DEBUG=on", "--restart")
    assert told.returncode == 0
    assert f"{act.name}  running    {act.url}" in told.stdout
    assert "DEBUG = True" in fetch(act, "no/such/page")[1]
    assert result(act, "unset", "DEBUG", "--restart") == {
        **{"act": act.name, "path": str(act.paths.env_file)},
        **{"changed": ["DEBUG"], "restarted": True},
        **{"state": "running", "url": act.url, "reason": ""},
    }
    assert "DEBUG = True" not in fetch(act, "no/such/page")[1]


@pytest.mark.slow
def test_a_restart_that_fails_says_why(act: Act) -> None:
    told = env(act, "set", "HSTS_SECONDS=soon", "TLS=on", "--restart")
    assert told.returncode == 9
    assert "running" in told.stdout, "with the values from before"
    assert "ValueError: invalid literal for int() with base 10: 'soon'" in told.stdout
    back = f"{act.env.path} is as it was before: set HSTS_SECONDS, TLS was taken back\n"
    assert (told.stderr, [*act.env]) == (back, ["SECRET_KEY"])


@pytest.mark.slow
def test_a_stopped_act_is_told_to_be_started(act: Act) -> None:
    act.stop()
    told = env(act, "set", "DEBUG=on")
    assert told.stderr == f"To apply it, type: backstage start {act.name}\n"
    act.env.unset("DEBUG")
    act.start()


@pytest.mark.slow
def test_a_value_behind_a_space_is_told_with_its_sign(act: Act) -> None:
    told = env(act, "set", "DEBUG", "on").stderr
    assert f"type: backstage env {act.name} set DEBUG=on\n" in told


@pytest.mark.slow
def test_a_value_is_read_from_a_pipe(act: Act) -> None:
    env(act, "set", "API_TOKEN=-", "NAME=x", typed="hush hush\n")
    assert act.env["API_TOKEN"] == "hush hush"
    refused = env(act, "set", "API_TOKEN=-", typed="two\nlines\n")
    assert refused.returncode == 4
    assert "the value of API_TOKEN has a line break; write it as \\n" in refused.stderr
    assert env(act, "set", "A=-", "B=-").returncode == 2


def test_a_value_is_asked_for_and_not_shown(act: Act) -> None:
    with terminal("env", act.name, "set", "API_TOKEN=-", cwd=act.paths.venue.top) as shown:
        shown.await_text("API_TOKEN: ")
        shown.type("hush\n")
        assert "hush" not in shown.await_text("(?s).*set API_TOKEN")
        assert shown.end() == 0
    assert act.env["API_TOKEN"] == "hush"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("unset", "DEBGU"), 4, "has no 'DEBGU'; it has: SECRET_KEY"),
        (("set", "A B=1"), 4, "'A B' cannot be a name"),
        (("set", "DEBUG"), 2, "'DEBUG' is not KEY=VALUE"),
        (("set",), 2, "set what? Type: backstage env configured set KEY=VALUE"),
        (("unset",), 2, "unset what? Type: backstage env configured unset KEY"),
        (("list", "DEBUG"), 2, "list takes no variables"),
        (("DEBUG=on",), 2, "'DEBUG=on' is not one of 'list', 'get', 'set', 'unset'"),
        (
            ("set", "A=1", "--reveal"),
            2,
            "--reveal works only with list, --restart only with set and unset",
        ),
        (("--restart",), 2, "--reveal works only with list, --restart only with set and unset"),
    ],
)
def test_what_cannot_be_done_is_told_and_changes_nothing(
    act: Act, words: tuple[str, ...], code: int, told: str
) -> None:
    before = act.env.path.read_bytes()
    done = env(act, *words)
    assert (done.returncode, done.stdout) == (code, "")
    assert told in done.stderr
    assert act.env.path.read_bytes() == before


@pytest.mark.slow
def test_no_secret_gets_into_an_error(act: Act) -> None:
    for value in ("$hush", "hush\nhush"):
        done = env(act, "set", f"API_TOKEN={value}", "--json")
        assert json.loads(done.stdout)["error"]["kind"] == "SettingsError"
        assert "hush" not in done.stdout + done.stderr


def test_an_act_without_a_project_is_told_so(act: Act, venue: Venue) -> None:
    worker: Path = venue.paths.act("helper").kept
    worker.write_text("[uwsgi]\n")
    done = call("env", "helper", cwd=venue.path)
    worker.unlink()
    assert done.returncode == 1
    assert "Act 'helper' has no project in" in done.stderr
