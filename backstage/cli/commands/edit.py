"""`backstage edit`: edit an Act's vassal file and check it before use."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from difflib import unified_diff
from pathlib import Path

import click

from ...act import Act
from ...errors import ActFailed, BackstageError, CheckFailed, EditRefused
from ...layout import executed
from ...system import programs
from ...system.files import remove_tree, write_atomically
from ...uwsgi.ini import VassalFile
from .. import streams
from ..exits import Exit
from ..options import act_argument, command, no_check_option
from ..results import Result
from ..session import Session
from ..terminal.aftermath import Aftermath
from ..terminal.screen import Screen, harmless

_EXAMPLES = """
backstage edit blog
EDITOR=nano backstage edit blog
"""
_EXITS = (Exit.FAILED, Exit.REFUSED, Exit.SYSTEM, Exit.LATE, Exit.BUSY, Exit.CHECK)
# Without VISUAL and EDITOR, the first of these that is installed.
_USUAL = ("editor", "nano", "vim", "vi", "emacs")
_STYLES = {"+": "green", "-": "red", "@": "cyan"}


@command("edit", examples=_EXAMPLES, exits=_EXITS)
@act_argument
@no_check_option
def edit(session: Session, act_name: str, no_check: bool) -> Result:
    """Edit an Act's vassal file and check it before use.

    $VISUAL or $EDITOR opens a copy. When you save it and quit the editor, the copy is checked. If
    it cannot work, the faulty line is shown, nothing is changed, and you can edit again. Otherwise
    the difference is shown, the file is written, and a running Act restarts with it; a stopped Act
    stays stopped. The code of a running Act is first tried with the new text, and nothing is
    written if that fails: see restart. If someone else changes the file
    meanwhile, it is not overwritten. Text that is not used is kept in a file, whose path is
    printed.
    """
    found = session.act(act_name)
    executed.refuse_loose(found.paths.venue, found.paths)
    before = found.vassal_text
    if untaken := found.snapshot().untaken:
        session.screen.hint(f"{act_name} does not run with this text yet: {untaken}")
    with _draft(session, found, before) as draft:
        text = _edited(session, found, before, draft)
        if text == before:
            unchanged = {"act": act_name, "changed": False}
            return Result(unchanged, lambda screen: screen.line(f"{act_name}: nothing has changed"))
        difference = _difference(found, before, text)
        if not session.as_json:
            _show(session.screen, difference)
        aftermath = _used(session, found, before, text, check=not no_check)
        if aftermath.error and _can_ask(session):
            aftermath.show(session.screen)
            if click.confirm("Restore the previous text?", err=True):
                aftermath = _used(session, found, text, before, check=False)
    changes = VassalFile(act_name, text).differences(VassalFile(act_name, before))
    document = {
        **{"act": act_name, "changed": True, "changes": changes, "diff": "\n".join(difference)},
        **aftermath.document,
    }
    return Result(document, aftermath.show, aftermath.exit)


class _Draft:
    """The copy that is edited; it has its own directory, as editors put files beside it."""

    def __init__(self, act: Act, text: str) -> None:
        self._before = text
        self._top = Path(tempfile.mkdtemp(prefix=f"backstage-{act.name}-"))
        self.path = self._top / act.paths.vassal.name
        write_atomically(self.path, text, mode=0o600)

    def read(self) -> str:
        """Its current text; the check reports bytes that are not UTF-8."""
        try:
            return self.path.read_bytes().decode(errors="surrogateescape")
        except FileNotFoundError:
            return self._before

    def remove(self) -> None:
        remove_tree(self._top)


@contextmanager
def _draft(session: Session, act: Act, before: str) -> Iterator[_Draft]:
    """A copy of the text `before`, which is kept if it was edited but not used."""
    draft = _Draft(act, before)
    try:
        yield draft
    except BaseException:
        if draft.read() == before:
            draft.remove()
        else:
            session.screen.hint(f"Your text is kept in {draft.path}")
        raise
    draft.remove()


def _edited(session: Session, act: Act, before: str, draft: _Draft) -> str:
    """A valid text from the editor, or the unchanged one. Raises EditRefused."""
    while True:
        # With --json, standard output has nothing but the result.
        with streams.output_to_terminal() if session.as_json else nullcontext():
            _open_editor(act, draft.path)
        text = draft.read()
        if text == before:
            return text
        try:
            act.check(text)
        except EditRefused as error:
            if not _can_ask(session):
                raise
            _tell_fault(session.screen, act, text, error)
            if not click.confirm("Edit again?", default=True, err=True):
                raise
        else:
            return text


def _open_editor(act: Act, path: Path) -> None:
    words = _editor()
    status = programs.run_in_terminal([*words, path], cwd=Path.cwd(), env=os.environ)
    if status:
        stays = f"Act {act.name!r} is unchanged"
        raise BackstageError(f"the editor {words[0]} exited with code {status}; {stays}")


def _editor() -> list[str]:
    chosen = os.environ.get("VISUAL") or os.environ.get("EDITOR")
    advice = "choose one, for example: EDITOR=vim backstage edit …"
    try:
        words = shlex.split(chosen) if chosen else []
    except ValueError as error:
        raise BackstageError(f"cannot parse the editor {chosen!r}: {error}; {advice}") from error
    for word in words[:1] or _USUAL:
        if shutil.which(word):
            return words or [word]
    missing = f"editor {words[0]!r} was not found" if words else "no editor was found"
    raise BackstageError(f"{missing}; {advice}")


def _tell_fault(screen: Screen, act: Act, text: str, error: EditRefused) -> None:
    lines = text.split("\n")
    if error.path in {act.paths.vassal, act.paths.kept} and error.line:
        screen.hint(f"{error.line:5} | {lines[error.line - 1]}")
        screen.complain(f"line {error.line}: {error.why}")
    else:
        screen.complain(str(error))


def _difference(act: Act, before: str, text: str) -> list[str]:
    name = str(act.paths.vassal.relative_to(act.paths.venue.top))
    old, new = before.splitlines(), text.splitlines()
    return list(unified_diff(old, new, name, f"{name} (edited)", lineterm=""))


def _show(screen: Screen, difference: list[str]) -> None:
    for line in difference:
        style = _STYLES.get(line[0]) if screen.has_colour else None
        screen.line(click.style(harmless(line), fg=style) if style else harmless(line))


def _used(session: Session, act: Act, before: str, text: str, *, check: bool) -> Aftermath:
    """Write the text and report how the Act is then. Raises EditRefused and CheckFailed."""
    error = None
    with nullcontext() if session.as_json else session.screen.waiting(f"Restarting {act.name}"):
        try:
            act.rewrite(text, based_on=before, check=check)
        except CheckFailed:
            raise
        except ActFailed as failure:
            error = failure
        except KeyboardInterrupt:
            if act.vassal_text == text:
                session.under_way.add(f"{act.name} is restarting with the new text")
            raise
    return Aftermath(act.snapshot(), error)


def _can_ask(session: Session) -> bool:
    return session.screen.is_terminal and sys.stdin.isatty() and not session.as_json
