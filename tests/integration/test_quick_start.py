"""The README's quick start, word for word."""

from __future__ import annotations

import code
import re
import shutil
import urllib.request
from pathlib import Path

import pytest

from backstage.shortcuts import use_venue

README = Path(__file__).parents[2] / "README.md"
VENUE = Path("/tmp/MyVenue")


def quick_start() -> list[str]:
    """The lines to type: the first example of the README, without what is printed."""
    example = re.search(r"```pycon\n(.*?)```", README.read_text(), re.S)
    assert example
    return [line.removeprefix(">>> ") for line in example[1].splitlines() if line.startswith(">>>")]


def test_the_quick_start(capsys: pytest.CaptureFixture[str]) -> None:
    assert not VENUE.exists(), f"{VENUE} is in the way"
    lines = quick_start()
    assert len(lines) == 6
    console = code.InteractiveConsole()
    try:
        for line in lines:
            console.push(line)
            printed, complaints = capsys.readouterr()
            assert not complaints
            if "get_uwsgi_port" in line:
                with urllib.request.urlopen(f"http://localhost:{int(printed)}") as answer:
                    assert "MyAct" in answer.read().decode()
        assert "running" in repr(console.locals["act"])
    finally:
        use_venue(VENUE).stop()
        shutil.rmtree(VENUE)
