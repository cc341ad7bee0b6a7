"""What all commands have in common, and what `--help` prints."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path

import click
import pytest

from backstage.cli.exits import Exit
from backstage.cli.options import Command
from backstage.cli.program import SECTIONS, program, run
from backstage.system import users

HELP = Path(__file__).parent / "help"
RENEW = "BACKSTAGE_RENEW"
LINES = {name: line for rows in SECTIONS.values() for name, (_, line) in rows.items()}
SHARED = {"--venue", "--json", "--debug", "--help"}

every_command = pytest.mark.parametrize("name", LINES)


def command(name: str) -> Command:
    found = program.get_command(click.Context(program), name)
    assert isinstance(found, Command)
    return found


def examples() -> list[tuple[str, str]]:
    """Each example line that starts with the program, with the command it belongs to."""
    return [
        (name, line)
        for name in LINES
        for line in command(name).examples.splitlines()
        if line.startswith("backstage ")
    ]


@pytest.mark.parametrize("name", ["backstage", *LINES])
def test_help_is_as_it_was(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(users, "program", lambda: "backstage")
    assert run(["--help"] if name == "backstage" else [name, "-h"]) == Exit.DONE
    shown = capsys.readouterr().out
    kept = HELP / f"{name}.txt"
    if RENEW in os.environ:
        kept.write_text(shown, encoding="utf-8")
    assert shown == kept.read_text(encoding="utf-8"), "run: make docs"


def test_examples_behind_sudo_name_the_program_where_sudo_finds_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(users, "program", lambda: "/opt/bin/backstage")
    run(["systemd", "-h"])
    shown = capsys.readouterr().out
    assert "sudo /opt/bin/backstage systemd install" in shown
    assert "sudo backstage" not in shown


def test_no_help_outlives_its_command() -> None:
    assert {path.stem for path in HELP.iterdir()} == {"backstage", *LINES}


@pytest.mark.parametrize("name", ["backstage", *LINES])
def test_help_fits_80_columns(name: str) -> None:
    text = (HELP / f"{name}.txt").read_text(encoding="utf-8")
    assert [line for line in text.splitlines() if len(line) > 80] == []


@every_command
def test_the_overview_has_the_first_sentence(name: str) -> None:
    """The overview is stored beside each command's name, so that printing it loads no command."""
    made = command(name)
    assert made.name == name
    assert made.help
    assert LINES[name] == re.split(r"(?<=\.)\s", " ".join(made.help.split()), maxsplit=1)[0]


@every_command
def test_every_command_has_the_shared_options_once(name: str) -> None:
    made = command(name)
    options = [opt for option in made.get_params(click.Context(made)) for opt in option.opts]
    assert set(options) >= SHARED
    assert len(options) == len(set(options)), "an option of its own has the name of a shared one"


@every_command
def test_every_option_says_what_it_does(name: str) -> None:
    made = command(name)
    options = [option for option in made.params if isinstance(option, click.Option)]
    assert [option.name for option in options if not (option.help or "").endswith(".")] == []


@every_command
def test_every_command_has_examples_and_exit_codes(name: str) -> None:
    made = command(name)
    assert f"backstage {name}" in made.examples
    assert {Exit.DONE, Exit.USAGE, Exit.NOT_THERE, Exit.INTERRUPTED} <= set(made.exits)
    assert list(made.exits) == sorted(set(made.exits))


@pytest.mark.parametrize(("name", "line"), examples())
def test_every_example_is_understood(
    name: str, line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "requirements.txt").touch()
    words = shlex.split(re.split(r" \||#| &&| >", line)[0])
    assert words[:2] == ["backstage", name]
    command(name).make_context(name, words[2:])
