"""Arguments that are wrong: the answer is one line, and says what to type."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from backstage.cli.commands import env, nginx, systemd, venue
from backstage.cli.exits import Exit
from backstage.cli.program import SECTIONS, run
from backstage.layout.paths import VenuePaths

COMMANDS = {name for rows in SECTIONS.values() for name in rows}
MEANT = {"env": env, "nginx": nginx, "systemd": systemd, "venue": venue}


def said(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """What is said about words that are a mistake, before the usage."""
    assert run(words) == Exit.USAGE
    out, err = capsys.readouterr()
    assert out == ""
    return str(err.partition("\nUsage:")[0]).removeprefix("backstage: ")


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("venue restart", "there is no 'restart' here; type: backstage restart --all"),
        ("systemd start", "there is no 'start' here; type: backstage venue start"),
        ("nginx rm blog", "there is no 'rm' here; type: backstage nginx unbind ACT"),
        ("env blog add A=1", "there is no 'add' here; type: backstage env blog set KEY=VALUE"),
        (
            "venue",
            "Missing argument '{start|stop|info|retire}'. Choose from: start, stop, info, retire",
        ),
        ("new-act x --port abc", "Invalid value for '--port': 'abc' is not a valid whole number."),
        ("start blog --wait x", "Invalid value for '--wait': 'x' is not a valid number."),
        (
            "stop blog --drain 1m",
            "Invalid value for '--drain': '1m' is not a number of seconds; "
            "type one such as 5 or 5s",
        ),
        ("venue down", "there is no 'down' here; type: backstage venue stop"),
        ("start blog --all", "blog and --all: name Acts or use --all, not both"),
        ("restart", "name one or more Acts, or use --all"),
        ("new-venue /srv/V /srv", "/srv/V is a whole path; leave out /srv"),
    ],
)  # fmt: skip
def test_what_to_type_instead(capsys: pytest.CaptureFixture[str], typed: str, told: str) -> None:
    assert said(capsys, *shlex.split(typed)) == told


@pytest.mark.parametrize("name", MEANT)
def test_every_line_to_type_is_a_command(name: str) -> None:
    """And no word that the command takes is answered with another one."""
    module = MEANT[name]
    taken = module._ACTIONS if name == "env" else module._VERBS  # type: ignore[attr-defined]
    for word, line in module._MEANT.items():  # type: ignore[attr-defined]
        assert word not in taken
        first, *rest = line.format(act="ACT").split()
        assert first in COMMANDS
        if first in MEANT and rest:
            others = MEANT[first]
            known = others._ACTIONS if first == "env" else others._VERBS  # type: ignore[attr-defined]
            assert set(rest) & {*known, "ACT"}


def test_manage_needs_an_act_and_a_command(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever was left out is the one that the line to type adds."""
    paths = VenuePaths(tmp_path)
    for directory in (paths.vassals, paths.kept, paths.run, paths.acts):
        directory.mkdir()
    for file in (paths.emperor_ini, paths.settings, tmp_path / "pyvenv.cfg"):
        file.touch()
    (paths.kept / "blog.ini").write_text("[uwsgi]\n")
    monkeypatch.chdir(tmp_path)
    for word, line in (("blog", "blog COMMAND"), ("migrate", "ACT migrate")):
        assert re.search(rf"type: backstage manage {line}$", said(capsys, "manage", word))
