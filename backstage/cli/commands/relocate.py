"""`backstage relocate`: make a Venue that was moved or copied work where it is."""

from __future__ import annotations

from contextlib import nullcontext
from functools import partial

import click

from ...facts.command_line import join
from ...facts.relocations import Relocation
from ...operations import relocate as operation
from ..exits import Exit
from ..options import command
from ..results import Document, Result
from ..session import Session
from ..terminal.screen import Screen, harmless

_EXAMPLES = """
backstage relocate --dry-run
backstage relocate --venue /srv/Copy
"""
_EXITS = (Exit.FAILED, Exit.REFUSED, Exit.PORT, Exit.SYSTEM, Exit.BUSY)
# More files than this are only counted.
_NAMED = 8


@command("relocate", examples=_EXAMPLES, exits=_EXITS)
@click.option("--dry-run", is_flag=True, help="Only show what would be done.")
def relocate(session: Session, dry_run: bool) -> Result:
    """Make a moved or copied Venue work where it is.

    The programs and files of a Venue name its path, so no other command works on one that was moved
    or copied. What names the former path gets the new one: bin/, the ini files, templates/, the
    Acts' .env files, the unit and the nginx sites. If its Emperor runs, it is stopped before and
    started after.

    If the interpreter of its environment is gone, as on another host or after an upgrade of Python,
    another release of the same series takes its place; what is installed stays.

    A copy gets ports of its own, and no unit or site; its original, if that is still there, is not
    touched. If anything fails, everything is undone. Units of the machine and sites of nginx need
    root. Projects are not changed; what names the former path there is shown.
    """
    session.keeps_root = True
    path, act = session.located, operation.plan if dry_run else operation.relocate
    quiet = session.as_json or dry_run
    with nullcontext() if quiet else session.screen.waiting(f"Relocating {path.name}"):
        made = act(path)
    return Result(_document(made), partial(_show, made))


def _show(made: Relocation, screen: Screen) -> None:
    screen.line(_headline(made))
    if made.files:
        _row(screen, "rewritten" if made.done else "rewrite", _listed(made.files))
    if made.links:
        _row(screen, "relinked" if made.done else "relink", _listed(made.links))
    if made.python:
        _row(screen, "Python", made.python)
    for before, after in made.ports.items():
        _row(screen, "port", f"{before} → {after}")
    if made.restarts:
        _row(screen, "restarted" if made.done else "restart", "the Emperor, with its Acts")
    for each in made.left:
        _row(screen, "left", f"{each}, names {made.made_at}; change it by hand")
    for waiting in made.waits:
        _row(screen, "waits", waiting.what)
        screen.line(f"{'':12}→ type: {harmless(waiting.command)}")
    if made.done and made.changes and not made.restarts:
        start = join(["backstage", "--venue", str(made.venue), "venue", "start"])
        screen.hint(f"Next: {start}")


def _headline(made: Relocation) -> str:
    where = harmless(str(made.venue))
    if not made.changes:
        return f"{where} is where it was made; nothing to do"
    if made.made_at == made.venue:
        return f"{where} {'is' if made.done else 'would be'} relocated"
    how = "a copy of" if made.is_copy else "moved from"
    done = "is relocated" if made.done else "would be relocated"
    return f"{where}, {how} {harmless(str(made.made_at))}, {done}"


def _listed(names: tuple[str, ...]) -> str:
    shown = ", ".join(names[:_NAMED])
    more = len(names) - _NAMED
    return shown if more <= 0 else f"{shown} and {more} more"


def _row(screen: Screen, word: str, text: str) -> None:
    screen.line(f"  {word:<10}{harmless(text)}")


def _document(made: Relocation) -> Document:
    return {
        "venue": str(made.venue),
        "made_at": str(made.made_at),
        "copy": made.is_copy,
        "done": made.done,
        "changes": made.changes,
        "files": list(made.files),
        "links": list(made.links),
        "ports": [{"before": before, "after": after} for before, after in made.ports.items()],
        "python": made.python or None,
        "restarts": made.restarts,
        "left": list(made.left),
        "waits": [{"what": each.what, "command": each.command} for each in made.waits],
    }
