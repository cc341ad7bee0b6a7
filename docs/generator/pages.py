"""Every file that is written from the program, and writing them."""

from __future__ import annotations

from pathlib import Path

from . import commands, markdown, roff
from .guide import guide

CHECKOUT = Path(__file__).resolve().parents[2]
_PAGES = CHECKOUT / "docs" / "cli"
_MANUAL = CHECKOUT / "docs" / "backstage.1"
_HELP = CHECKOUT / "tests" / "cli" / "help"


def pages() -> dict[Path, str]:
    """What each of the files has to hold."""
    sections = list(commands.sections())
    shared = commands.shared()
    every = (commands.summary(), sections, shared, guide())
    return {
        **{
            _PAGES / f"{facts.name}.md": markdown.page(facts, shared)
            for _, members in sections
            for facts in members
        },
        _PAGES / "README.md": markdown.index(*every),
        _MANUAL: roff.manual(*every),
        **{_HELP / f"{name}.txt": f"{text}\n" for name, text in commands.help_texts().items()},
    }


def stale() -> set[Path]:
    """Pages of commands that there are no more."""
    return {*_PAGES.iterdir(), *_HELP.iterdir()} - pages().keys()


def write() -> None:
    """Write every file, and remove those of commands that there are no more."""
    for directory in (_PAGES, _HELP):
        directory.mkdir(exist_ok=True)
    for path, text in pages().items():
        path.write_text(text, encoding="utf-8")
    for path in stale():
        path.unlink()
