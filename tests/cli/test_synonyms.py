"""Words of other tools: understood, or answered with the line to type."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from backstage.cli import synonyms
from backstage.cli.exits import Exit
from backstage.cli.program import SECTIONS, program, run

COMMANDS = [name for rows in SECTIONS.values() for name in rows]


def answer(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    """The exit code, the output, and the first line of what is said on standard error."""
    code = run(words)
    out, err = capsys.readouterr()
    return code, out, err.partition("\n")[0]


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        (["rm", "blog"], "retire blog"),
        (["rm"], "retire ACT"),
        (["rm", "--force"], "retire ACT"),
        (["rm", "a b"], "retire 'a b'"),
        (["migrate", "blog"], "manage blog migrate"),
        (["blog", "restart"], "restart blog"),
        (["blog", "ls"], "ls blog"),
        (["statsu"], "status"),
        (["log", "blog"], "logs blog"),
        (["enable", "blog"], "start blog"),
        (["disable", "blog"], "stop blog"),
        (["enable"], "systemd install"),
        (["up"], "venue start"),
        (["help", "rm"], "retire ACT"),
    ],
)
def test_what_was_meant_is_a_line_to_type(
    capsys: pytest.CaptureFixture[str], typed: list[str], told: str
) -> None:
    code, out, said = answer(capsys, *typed)
    assert (code, out) == (Exit.USAGE, "")
    assert said.endswith(f"; did you mean: backstage {told}")


def test_what_nobody_can_guess(capsys: pytest.CaptureFixture[str]) -> None:
    _, _, said = answer(capsys, "xyzzy")
    assert said == "backstage: no command 'xyzzy'; see: backstage --help"


def test_every_guess_is_a_command_and_no_word_is_one() -> None:
    for word in synonyms._MEANT:
        assert word not in COMMANDS
        told = synonyms.meant([word], COMMANDS).split()[0]
        assert told in {*COMMANDS, "--version"}
    assert not set(synonyms.ALIASES) & set(COMMANDS)
    assert set(synonyms.ALIASES.values()) <= set(COMMANDS)


@pytest.mark.parametrize("alias", synonyms.ALIASES)
def test_an_alias_is_its_command(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    alias: str,
) -> None:
    """In help, in usage and in JSON, the command has one name."""
    name = synonyms.ALIASES[alias]
    assert answer(capsys, alias, "--help") == answer(capsys, name, "--help")
    assert answer(capsys, "help", alias) == answer(capsys, name, "--help")
    monkeypatch.chdir(tmp_path)
    shown = answer(capsys, alias, "--all", "--json")
    assert shown == answer(capsys, name, "--all", "--json")
    assert f'"command": "{name}"' in shown[1]


def test_help_is_a_word_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert answer(capsys, "help") == answer(capsys, "--help")


def test_the_help_names_the_aliases() -> None:
    shown = program.get_help(click.Context(program))
    assert all(f" {alias}" in shown for alias in synonyms.ALIASES)
