"""The README's quick start, word for word, but for the directory."""

from __future__ import annotations

import code
import re
import urllib.request
from pathlib import Path

import pytest

from backstage.shortcuts import use_venue

README = Path(__file__).parents[2] / "README.md"
DIRECTORY = "'/tmp'"


def quick_start() -> list[str]:
    """The lines to type: the first example of the README, without what is printed."""
    example = re.search(r"```pycon\n(.*?)```", README.read_text(), re.S)
    assert example
    return [line.removeprefix(">>> ") for line in example[1].splitlines() if line.startswith(">>>")]


def test_the_quick_start(stage: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In a directory of the test's own: somebody may have followed the README on this host."""
    lines = quick_start()
    assert len(lines) == 6
    assert [DIRECTORY in line for line in lines].count(True) == 1
    console = code.InteractiveConsole()
    try:
        for line in lines:
            console.push(line.replace(DIRECTORY, repr(str(stage))))
            printed, complaints = capsys.readouterr()
            assert not complaints
            if "get_uwsgi_port" in line:
                with urllib.request.urlopen(f"http://localhost:{int(printed)}") as answer:
                    assert "MyAct" in answer.read().decode()
        assert "running" in repr(console.locals["act"])
    finally:
        use_venue(stage / "MyVenue").stop()
