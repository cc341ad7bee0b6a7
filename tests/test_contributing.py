"""What CONTRIBUTING.md says about the code is true."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.test_architecture import ORDER

CHECKOUT = Path(__file__).parents[1]
TEXT = (CHECKOUT / "CONTRIBUTING.md").read_text(encoding="utf-8")
# Names in backticks that start with a folder of the checkout.
NAMED = sorted(
    set(re.findall(r"`((?:backstage|tests|vassal_templates|emperor|docs)/[\w./-]*)`", TEXT))
)


def rows(heading: str) -> list[tuple[str, ...]]:
    """The rows of the first table below a heading, each a tuple of its cells."""
    below = TEXT.partition(f"# {heading}\n")[2]
    lines = re.search(r"(?:^\|.*\n)+", below, re.MULTILINE)
    assert lines, heading
    cells = [line.strip().strip("|").split(" | ") for line in lines[0].splitlines()]
    return [tuple(cell.strip() for cell in row) for row in cells[2:]]


@pytest.mark.parametrize("name", NAMED)
def test_files_that_are_named_are_there(name: str) -> None:
    assert (CHECKOUT / name).exists()


def test_every_question_is_answered_by_a_file() -> None:
    questions = rows("Ten questions and where to find the answers")
    assert len(questions) == 10
    assert all(re.search(r"`(?:backstage|vassal_templates)/", answer) for _, answer in questions)


def test_packages_are_told_of_in_their_order() -> None:
    told = [re.findall(r"`(\w+)(?:/|\.py)`", cell) for cell, _ in rows("Code structure")]
    names = [name for names in told for name in names if name != "__init__"]
    assert names == list(ORDER)
