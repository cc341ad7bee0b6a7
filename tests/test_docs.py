"""The documentation: the site that Sphinx builds, the manual, and the pages that a forge shows."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import click
import pytest
import yaml

import backstage
from backstage import errors
from backstage.cli.exits import Exit
from backstage.cli.options import Command
from backstage.cli.program import SECTIONS, program

CHECKOUT = Path(__file__).parents[1]
DOCS = CHECKOUT / "docs"
MANUAL = DOCS / "backstage.1"
COMMANDS = DOCS / "reference" / "commands" / "index.md"
NAMES = [name for rows in SECTIONS.values() for name in rows]
SHARED = {opt for option in program.params for opt in option.opts} | {"--help"}
# What a reader of a forge comes upon; pages that only Sphinx completes are no exception.
PAGES = sorted(
    path
    for path in (*CHECKOUT.glob("*.md"), *CHECKOUT.glob(".github/**/*.md"), *DOCS.rglob("*.md"))
    if not path.is_relative_to(DOCS / "_")
)

WORKFLOWS = sorted((CHECKOUT / ".github" / "workflows").iterdir())

slow = pytest.mark.slow
needs_groff = pytest.mark.skipif(not shutil.which("groff"), reason="groff is not installed")
needs_man = pytest.mark.skipif(not shutil.which("man"), reason="man is not installed")


def build(builder: str, top: Path) -> Path:
    """What Sphinx makes of the docs; a warning is an error."""
    goal = top / builder
    options = ["--quiet", "--fail-on-warning", "--keep-going", "--doctree-dir", top / "doctrees"]
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", *options, "-b", builder, DOCS, goal],
        cwd=CHECKOUT, capture_output=True, text=True,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    return goal


@pytest.fixture(scope="module")
def top(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("docs")


@pytest.fixture(scope="module")
def site(top: Path) -> Path:
    return build("html", top)


def shown(page: Path) -> str:
    """What a reader of the manual sees, in a terminal of 100 columns."""
    done = subprocess.run(
        ["man", "--warnings=all", "--local-file", page],
        env={"LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin", "MANWIDTH": "100"},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert not done.stderr
    return done.stdout


class Anatomy(HTMLParser):
    """The ids of a page, and where its links lead."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if found.get("id"):
            self.ids.add(str(found["id"]))
        for key in ("href", "src"):
            if found.get(key):
                self.links.append(str(found[key]))


anatomy = cache(Anatomy)


@slow
def test_the_site_builds_without_a_warning(site: Path) -> None:
    assert (site / "index.html").exists()
    assert (site / "searchindex.js").stat().st_size > 10_000


@slow
def test_every_link_of_the_site_leads_to_a_place_on_it(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    assert len(pages) > 20
    assert [broken for page in pages for broken in _broken(page)] == []


def _broken(page: Path) -> Iterator[tuple[str, str]]:
    for link in anatomy(page).links:
        parts = urlsplit(link)
        if parts.scheme or parts.netloc:
            continue
        goal = (page.parent / unquote(parts.path)).resolve() if parts.path else page
        if not goal.is_file() or (parts.fragment and parts.fragment not in anatomy(goal).ids):
            yield page.name, link


@slow
@pytest.mark.parametrize("name", NAMES)
def test_every_command_has_a_page(site: Path, name: str) -> None:
    page = site / "reference" / "commands" / f"{name}.html"
    assert f"backstage-{name}" in anatomy(page).ids


@slow
def test_the_api_has_every_public_name(site: Path) -> None:
    raised = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    names = {kind.__name__ for kind in raised if issubclass(kind, errors.BackstageError)}
    told = {f"backstage.{name}" for name in {*backstage.__all__} - names}
    told |= {f"backstage.errors.{name}" for name in names}
    assert told - anatomy(site / "reference" / "api.html").ids == set()


def test_no_page_outlives_its_command() -> None:
    assert {page.stem for page in COMMANDS.parent.glob("*.rst")} == set(NAMES)


def test_the_overview_has_every_command_with_its_line() -> None:
    expected = "".join(
        f"**{title}**\n\n{''.join(_entry(name, line) for name, (_, line) in rows.items())}\n"
        for title, rows in SECTIONS.items()
    )
    assert expected in COMMANDS.read_text(encoding="utf-8")


def _entry(name: str, line: str) -> str:
    return f"- [`{name}`]({name}.rst): {line}\n"


def test_the_overview_has_every_exit_code_and_the_options_of_all_commands() -> None:
    text = COMMANDS.read_text(encoding="utf-8")
    assert re.findall(r"^- `(\d+)`: (.*)$", text, re.M) == [
        (str(int(code)), code.meaning) for code in Exit
    ]
    assert {option for option in SHARED if f"`{option}" not in text} == set()


@slow
@needs_man
def test_the_manual_is_that_of_this_program(top: Path) -> None:
    assert shown(MANUAL) == shown(build("man", top) / "backstage.1"), "run: make docs"


def test_the_readme_says_in_one_line_what_the_package_says_of_itself() -> None:
    """The site and the manual take theirs from these two."""
    _, tagline, *_ = filter(None, (CHECKOUT / "README.md").read_text().splitlines())
    setup = configparser.ConfigParser()
    setup.read(CHECKOUT / "setup.cfg", encoding="utf-8")
    assert tagline == f"{setup['metadata']['description']}."


@needs_man
def test_man_finds_the_manual_by_what_the_program_does() -> None:
    assert re.search(r"^NAME\n +backstage - many Django services", shown(MANUAL), re.M)


@needs_groff
def test_the_manual_is_flawless() -> None:
    done = subprocess.run(
        ["groff", "-Kutf8", "-man", "-Tutf8", "-wall", "-z", MANUAL], capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")


@needs_man
@pytest.mark.parametrize("name", NAMES)
def test_the_manual_shows_usage_options_and_examples_letter_by_letter(name: str) -> None:
    context = click.Context(program, **program.context_settings)
    command = program.get_command(context, name)
    assert isinstance(command, Command)
    usage = " ".join(command.collect_usage_pieces(click.Context(command, context)))
    lines = [f"backstage {name} {usage}".strip(), *command.examples.splitlines()]
    text = shown_once()
    [section] = re.findall(rf"^   backstage {name}\n((?:\n|    .*\n)*)", text, re.M)
    assert [line for line in lines if not re.search(rf"^ +{re.escape(line)}$", section, re.M)] == []
    options = [opt for param in command.params for opt in param.opts if opt.startswith("-")]
    own = [opt for opt in options if opt not in SHARED]
    assert [opt for opt in own if not re.search(rf"^ +(-\w, )?{opt}\b", section, re.M)] == []


@cache
def shown_once() -> str:
    return shown(MANUAL)


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(CHECKOUT)))
def test_every_link_of_a_markdown_page_leads_somewhere_on_a_forge(page: Path) -> None:
    assert [link for link in links(page) if not _leads_somewhere(page, link)] == []


def links(page: Path) -> list[str]:
    """The links of a Markdown page, those in code left out."""
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    return re.findall(r"\]\(([^)\s]+)\)", text)


def _leads_somewhere(page: Path, link: str) -> bool:
    parts = urlsplit(link)
    if parts.scheme:
        return parts.scheme == "https" and "." in parts.netloc and "@" not in parts.netloc
    goal = (page.parent / parts.path).resolve() if parts.path else page
    if not goal.exists():
        return False
    return not parts.fragment or parts.fragment in _anchors(goal)


def _anchors(page: Path) -> set[str]:
    """The anchors that a forge gives to headings."""
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    titles = re.findall(r"^#+ (.*)$", text, re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_forge_runs_what_people_run(path: Path) -> None:
    targets = re.findall(r"^([a-z-]+):", (CHECKOUT / "Makefile").read_text(encoding="utf-8"), re.M)
    jobs = yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"].values()
    steps = [step["run"] for job in jobs for step in job["steps"] if "run" in step]
    assert steps
    assert [step for step in steps if step.removeprefix("make ") not in targets] == []
