"""What completes commands, in the shells themselves."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from backstage.shortcuts import new_act
from backstage.venue import Venue

from .calling import environment, terminal

# How each shell is started without its user's settings, and reads the completion.
SHELLS = {
    "bash": (["bash", "--norc", "--noprofile", "-i"], 'eval "$(backstage completion bash)"'),
    "zsh": (
        ["zsh", "-f", "-i"],
        'autoload -Uz compinit; compinit -u -D; eval "$(backstage completion zsh)"',
    ),
}


@pytest.fixture(scope="module")
def house(venue: Venue) -> Path:
    for name in ("musical", "musette"):
        new_act(venue, name, start=False)
    return venue.path


@pytest.mark.slow
@pytest.mark.parametrize("shell", SHELLS)
def test_tab_completes(house: Path, tmp_path: Path, shell: str) -> None:
    if not shutil.which(shell):
        pytest.skip(f"no {shell} here")
    program, setup = SHELLS[shell]
    told = {"HOME": str(tmp_path), "PS1": "> "}
    with terminal(program=program, cwd=house, env=told) as typed:
        typed.type(f"{setup}; echo re''ady\n")
        typed.await_text("^ready$")
        typed.await_text("> ")
        typed.type("backstage start musi\t")
        typed.await_text("musical ")
        typed.type("muse\t")
        typed.await_text("musette ")
        typed.type("--wai\t")
        typed.await_text("--wait ")
        typed.type("0\x15backstage new-v\t")
        typed.await_text("new-venue ")
        typed.type("\x15backstage status --venue nowhere mu\t\x15exit 7\n")
        assert typed.end() == 7
        assert "Traceback" not in typed.shown


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("fish"), reason="no fish here")
def test_fish_completes(house: Path, tmp_path: Path) -> None:
    script = 'backstage completion fish | source; complete -C "backstage restart musi"'
    done = subprocess.run(
        ["fish", "--no-config", "-c", script],
        cwd=house, env=environment(HOME=str(tmp_path)), capture_output=True, text=True,
    )  # fmt: skip
    assert (done.stdout.split(), done.stderr) == (["musical"], "")


def test_the_venue_of_the_completed_line_counts(house: Path, tmp_path: Path) -> None:
    told = {"_BACKSTAGE_COMPLETE": "bash_complete", "COMP_CWORD": "4"}
    for venue, found in ((house, "plain,musette\nplain,musical"), (tmp_path, "")):
        done = subprocess.run(
            ["backstage"],
            cwd=tmp_path, capture_output=True, text=True,
            env=environment(**told, COMP_WORDS=f"backstage --venue {venue} stop mus"),
        )  # fmt: skip
        assert (done.stdout.strip(), done.stderr) == (found, "")
