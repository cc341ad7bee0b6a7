"""`backstage upgrade`: renew a Venue after a new version of Backstage was installed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import nullcontext
from functools import partial
from pathlib import Path

import click

from ...errors import BackstageError
from ...facts.renewals import Fate, Renewal, Upgrade
from ...layout import registry
from ...operations import upgrade as operation
from ...operations.venue_files import LAUNCH
from ...shortcuts import use_venue
from ...system import users
from ..exits import Exit, exit_of
from ..options import command
from ..results import Document, Result, Returned, Stream
from ..session import Session
from ..terminal.screen import Screen, harmless

_EXAMPLES = """
backstage upgrade --dry-run
backstage upgrade
backstage upgrade --restart-emperor   # all Acts are away for seconds
backstage upgrade --all
"""
_EXITS = (
    *(Exit.FAILED, Exit.REFUSED, Exit.PORT, Exit.SYSTEM),
    *(Exit.LATE, Exit.BUSY, Exit.CHECK),
)
_MADE = (Fate.RENEWED, Fate.ADDED)
# What is said of a file before it is done, and after.
_WORDS = {
    Fate.RENEWED: ("renew", "renewed"),
    Fate.ADDED: ("add", "added"),
    Fate.KEPT: ("keep", "kept"),
    Fate.WAITS: ("wait", "waits"),
}


@command("upgrade", examples=_EXAMPLES, exits=_EXITS)
@click.option("--all", "everything", is_flag=True, help="All your Venues, one after the other.")
@click.option("--restart-emperor", is_flag=True, help="Replace the Emperor too, if it must be.")
@click.option("--dry-run", is_flag=True, help="Only show what would be done.")
def upgrade(session: Session, everything: bool, restart_emperor: bool, dry_run: bool) -> Returned:
    """Renew a Venue for a new version of Backstage.

    Install that version first. What a Venue got from an earlier one is renewed: the templates, the
    private copy of the library, the unit and the nginx sites. A file that you have edited is kept,
    with your changes shown; the new one is put beside it as FILE.new. Acts that use a renewed
    template restart one after the other, each tried first, and no request is lost; stopped Acts
    stay stopped. If anything fails, everything is undone.

    What needs a new Emperor waits, because all Acts are away for some seconds while it is
    replaced: --restart-emperor does it. Units of the machine and sites of nginx need root.
    """
    session.keeps_root = True
    act = partial(_upgraded, session, restart_emperor=restart_emperor, dry_run=dry_run)
    return Stream(_each(act)) if everything else act(session.venue.path)


def _each(act: partial[Result]) -> Iterator[Result]:
    """The Venues that this user may change; the failure of one does not stop the others."""
    for path in registry.venues():
        if not users.am_root() and path.stat().st_uid != os.geteuid():
            continue
        try:
            yield act(path)
        except BackstageError as error:
            yield _failed(path, error)


def _failed(path: Path, error: BackstageError) -> Result:
    code = exit_of(error)
    document = {"venue": str(path), "kind": type(error).__name__, "message": error.at_shell}
    return Result(document, lambda screen: screen.line(f"✗ {harmless(error.at_shell)}"), code)


def _upgraded(session: Session, path: Path, *, restart_emperor: bool, dry_run: bool) -> Result:
    act = operation.plan if dry_run else operation.upgrade
    quiet = session.as_json or dry_run
    with nullcontext() if quiet else session.screen.waiting(f"Upgrading {path.name}"):
        made = act(use_venue(path), restart_emperor=restart_emperor)
    return Result(_document(made), partial(_show, made))


def _show(made: Upgrade, screen: Screen) -> None:
    screen.line(_headline(made))
    for fate in _MADE:
        if files := [each.file for each in made.files if each.fate is fate]:
            _row(screen, _word(fate, made), ", ".join(files))
    if made.library:
        _row(screen, _word(Fate.RENEWED, made), "the watcher's copy of the library")
    if made.restarted:
        word = "restarted" if made.done else "restart"
        _row(screen, word, f"{', '.join(made.restarted)}, one after the other")
    if made.passed_over:
        names = ", ".join(made.passed_over)
        _row(screen, "left", f"{names}, which did not run well before; restart it when it does")
    if not made.replaced and any(each.file == LAUNCH and each.fate in _MADE for each in made.files):
        _row(screen, "note", f"{LAUNCH} is in force for an Act from its next start")
    for each in made.files:
        if each.fate is Fate.KEPT:
            _show_kept(each, made, screen)
    _show_waiting(made, screen)


def _headline(made: Upgrade) -> str:
    if not made.changes:
        kept = "" if not made.waits else ", but for what waits"
        return f"{made.venue} is up to date{kept}"
    if not made.done:
        return f"{made.venue} would be upgraded"
    return f"{made.venue} is upgraded{', but for what waits' if made.waits else ''}"


def _word(fate: Fate, made: Upgrade) -> str:
    return _WORDS[fate][made.done]


def _row(screen: Screen, word: str, text: str) -> None:
    screen.line(f"  {word:<10}{harmless(text)}")


def _show_kept(kept: Renewal, made: Upgrade, screen: Screen) -> None:
    where = "is" if made.done or not kept.is_news else "would be"
    beside = f"; the new one {where} {kept.beside}" if kept.beside else ""
    _row(screen, _word(Fate.KEPT, made), f"{kept.file}, which was edited{beside}")
    for line in kept.edits:
        screen.line(f"{'':16}{harmless(line)}")
    if kept.command:
        _advise(screen, f"to have yours replaced by the new one: {kept.command}")
    elif kept.beside and (made.done or not kept.is_news):
        _advise(screen, f"merge them by hand, then remove {kept.beside}")


def _show_waiting(made: Upgrade, screen: Screen) -> None:
    emperor = made.emperor
    if emperor:
        why, away = ", ".join(map(str, emperor.causes)), f"for about {emperor.seconds:.0f} s"
        if made.replaced and made.done:
            _row(screen, "replaced", f"the Emperor ({why})")
        elif made.replaced:
            _row(screen, "replace", f"the Emperor ({why}): all Acts are away {away}")
        else:
            _row(screen, "waits", f"the Emperor must be replaced ({why})")
            _advise(screen, f"all Acts are away {away}; type: backstage upgrade --restart-emperor")
    for each in made.files:
        if each.fate is Fate.WAITS and not (emperor and each.file == "emperor.ini"):
            _row(screen, "waits", each.file)
            first = f"{each.first}, then " if each.first else ""
            _advise(screen, f"{first}type: {each.command}")


def _advise(screen: Screen, text: str) -> None:
    screen.line(f"{'':12}→ {harmless(text)}")


def _document(made: Upgrade) -> Document:
    return {
        "venue": str(made.venue),
        "done": made.done,
        "changes": made.changes,
        "waits": made.waits,
        "files": [_file(each) for each in made.files],
        "library": made.library,
        "restarted": list(made.restarted),
        "passed_over": list(made.passed_over),
        "emperor": _emperor(made),
    }


def _emperor(made: Upgrade) -> Document | None:
    if made.emperor is None:
        return None
    return {
        "causes": [cause.name.lower() for cause in made.emperor.causes],
        "seconds": round(made.emperor.seconds, 1),
        "replaced": made.replaced,
    }


def _file(each: Renewal) -> Document:
    return {
        "file": each.file,
        "fate": str(each.fate),
        "edits": list(each.edits),
        "beside": each.beside or None,
        "news": each.is_news,
        "command": each.command or None,
    }
