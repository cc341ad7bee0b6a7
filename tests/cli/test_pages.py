"""The pages, the manual and the help texts, against the program that they are written from."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from docs.generator.blocks import Block, blocks
from docs.generator.commands import Facts, Option
from docs.generator.markdown import page
from docs.generator.pages import CHECKOUT, pages, stale
from docs.generator.roff import manual

MANUAL = CHECKOUT / "docs" / "backstage.1"
HEADINGS = ["What it does", "Usage", "Options", "Exit codes", "Examples"]

TRICKY = Facts(
    name="play",
    line="Play it.",
    usage="backstage play {loud|soft} ACT",
    text=".first' of *all*, a <tag> and `a*b | c`.\n\n    it's -literal-\n    \\n ~ ^ `x`",
    options=(Option("--as {a|b}", "One of a|b."),),
    exits=(),
    examples="backstage play soft blog",
)


@pytest.mark.parametrize("path", pages(), ids=lambda path: str(path.relative_to(CHECKOUT)))
def test_every_page_says_what_the_program_does(path: Path) -> None:
    written = path.read_text(encoding="utf-8") if path.exists() else None
    assert written == pages()[path], "run: make docs"


def test_no_page_outlives_its_command() -> None:
    assert not stale(), "run: make docs"


def test_all_pages_of_commands_have_the_same_headings() -> None:
    written = {path: text for path, text in pages().items() if path.suffix == ".md"}
    headings = {
        path.stem: re.findall(r"^## (.*)", text, re.M)
        for path, text in written.items()
        if path.stem != "README"
    }
    assert len(headings) > 10
    assert headings == dict.fromkeys(headings, HEADINGS)


def test_every_link_leads_somewhere() -> None:
    for path, text in pages().items():
        if path.suffix == ".md":
            goals = re.findall(r"\]\(([^)#]+)\)", text)
            assert goals, path
            assert [goal for goal in goals if not (path.parent / goal).exists()] == [], path


def test_a_text_is_taken_apart_as_click_does_it() -> None:
    found = list(blocks("One\ntwo.\n\n    as it\n      is\n\n\b\nthis\ntoo"))
    assert found == [
        Block("One two.", literal=False),
        Block("as it\n  is", literal=True),
        Block("this\ntoo", literal=True),
    ]


def test_markdown_obeys_nothing_that_is_meant_literally() -> None:
    text = page(TRICKY, [])
    assert r".first' of \*all\*, a \<tag> and `a*b | c`." in text
    assert r"| `--as {a\|b}` | One of a\|b. |" in text
    assert "```\nit's -literal-\n\\n ~ ^ `x`\n```" in text


needs_groff = pytest.mark.skipif(not shutil.which("groff"), reason="groff is not installed")


@needs_groff
def test_the_manual_is_flawless() -> None:
    done = subprocess.run(
        ["groff", "-man", "-Tutf8", "-wall", "-z", MANUAL], capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")


@needs_groff
def test_the_manual_shows_what_is_meant_letter_by_letter() -> None:
    text = manual("Plays.", [("Play", [TRICKY])], [], {"More": "It's → `it's`."})
    done = subprocess.run(
        ["groff", "-man", "-Tutf8", "-wall", "-P-cbou"],
        input=text, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert not done.stderr
    for line in ("it's -literal-", "\\n ~ ^ `x`", "--as {a|b}", "backstage play soft blog"):
        assert re.search(rf"^ +{re.escape(line)}$", done.stdout, re.M), done.stdout
    assert "→ it's." in done.stdout
    assert ".first" in done.stdout


@pytest.mark.skipif(not shutil.which("man"), reason="man is not installed")
def test_man_finds_the_commands_by_name() -> None:
    done = subprocess.run(
        ["man", "--warnings=all", "--local-file", MANUAL],
        env={"LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin", "MANWIDTH": "80"},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert not done.stderr
    assert re.search(r"^NAME\n +backstage - many Django services", done.stdout, re.M)
    assert "backstage new-venue [OPTIONS] NAME [PATH]" in done.stdout
