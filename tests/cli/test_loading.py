"""What the command does not load, because loading would take longer than the work."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

SLOW = {"asyncio", "django", "filelock", "packaging", "psutil", "rich", "uv", "watchdog"}
# `sys.modules` on its own line, after the command's output.
RUN = """
import json, sys
from backstage.cli.program import run
code = run(sys.argv[1:])
print("\\n" + json.dumps(sorted(sys.modules)))
sys.exit(code)
"""


@pytest.fixture
def venue(tmp_path: Path) -> Path:
    """The files of a Venue that reading its state needs."""
    top = tmp_path / "MyVenue"
    top.mkdir()
    (top / "venue.yaml").write_text("# Ours.\nports: 8001-8999\n")
    (top / "emperor.ini").touch()
    for part in ("vassals", "kept", "acts", "log", "templates"):
        (top / part).mkdir()
    (top / "templates" / "launch").touch()
    return top


def loaded(*words: str | Path) -> set[str]:
    """The modules that a run of the command loads."""
    done = subprocess.run(
        [sys.executable, "-c", RUN, *words], capture_output=True, text=True, check=True, timeout=60
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_the_help_loads_no_command_and_no_library_but_one() -> None:
    modules = loaded("--help")
    assert "click" in modules
    assert not modules & SLOW
    assert not modules & {
        "backstage.venue",
        "backstage.cli.commands.status",
        "subprocess",
        "socket",
    }


@pytest.mark.parametrize("words", [["status"], ["status", "--json"]])
def test_looking_loads_nothing_that_changes_anything(venue: Path, words: list[str]) -> None:
    modules = loaded(*words, "--venue", venue)
    assert "backstage.status.survey" in modules
    assert not modules & SLOW
    assert not modules & {"backstage.act", "backstage.status.failures"}
