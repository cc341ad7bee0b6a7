"""The first tutorial of the docs, typed into Python."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import pytest

from backstage.shortcuts import use_venue

from .conftest import processes_within

TUTORIAL = Path(__file__).parents[2] / "docs" / "tutorial" / "first-venue.md"
# The reader's directory in the tutorial.
HOME = "/home/ada"
_BLOCK = re.compile(r"```pycon\n(.*?)```", re.DOTALL)


class Checker(doctest.OutputChecker):
    """Takes any number for any other: ports, pids, moments and lines differ each time."""

    def check_output(self, want: str, got: str, optionflags: int) -> bool:
        return super().check_output(_plain(want), _plain(got), optionflags)


def _plain(text: str) -> str:
    return re.sub(r"\d+([.:]\d+)*", "N", text.replace(str(Path.cwd()), HOME))


@pytest.mark.slow
def test_the_first_venue(stage: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the tutorial shows is what Python prints."""
    monkeypatch.chdir(stage)
    text = "\n".join(_BLOCK.findall(TUTORIAL.read_text(encoding="utf-8")))
    lesson = doctest.DocTestParser().get_doctest(text, {}, TUTORIAL.name, str(TUTORIAL), 0)
    assert len(lesson.examples) > 20
    runner = doctest.DocTestRunner(Checker(), verbose=False, optionflags=doctest.ELLIPSIS)
    said: list[str] = []
    try:
        runner.run(lesson, out=said.append)
        assert not said, "".join(said)
    finally:
        use_venue(stage / "MyVenue").stop()
    assert not processes_within(stage / "MyVenue")
