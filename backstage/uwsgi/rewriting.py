"""New texts for vassal files: tried first, then written so that the Emperor takes them."""

from __future__ import annotations

import re
from pathlib import Path

from ..errors import ActFailed, EditRefused
from ..layout.paths import ActPaths
from ..system import files
from . import dry_run, vassal_files
from .ini import VassalFile
from .stats import EmperorStats

_PLACE = re.compile(r"(?P<file>.+?), line (?P<line>\d+): (?P<why>.*)", re.DOTALL)


def present(act: ActPaths) -> VassalFile:
    """The Act's vassal file, the kept one while it is stopped. Raises ActFailed for neither."""
    file = vassal_files.load(act)
    if file is None:
        raise ActFailed(act.name, f"has no vassal file; make one with new_act(venue, {act.name!r})")
    return file


def check(act: ActPaths, text: str, known: EmperorStats | None) -> None:
    """Raise EditRefused where the Act could not work with this text. Lock the Act for it.

    `known` is what the Emperor says: what the running Act has already is not asked for again.
    """
    if fault := dry_run.fault_in(text, act, _running(act, known)):
        raise _refusal(act, fault)


def rewrite(act: ActPaths, text: str, based_on: str, known: EmperorStats | None) -> tuple[str, ...]:
    """Write a text that can work; returns what has changed in words, as `VassalFile` tells it.

    Raises EditRefused as `check` does, and where the file is not `based_on` any more. Lock the Act
    for it.
    """
    check(act, text, known)
    before, after = present(act), VassalFile(act.name, text)
    if before.text != based_on or vassal_files.is_being_written(act):
        why = "was changed by somebody else meanwhile; read it again and repeat the edit"
        raise EditRefused(_place(act), None, why)
    if act.vassal.exists():
        files.refuse_writable_by_others(act.venue.vassals)
        vassal = known.vassals.get(act.vassal.name) if known else None
        # What a link names is what the operator edits.
        target = act.vassal.resolve()
        files.write_vassal(target, text, not_before=vassal.last_mod if vassal else 0.0)
        vassal_files.keep(act, after)
    else:
        files.write_vassal(act.kept, text)
    return tuple(after.differences(before))


def _running(act: ActPaths, known: EmperorStats | None) -> VassalFile:
    """The file that the Act runs with, or did before it was stopped."""
    vassal = known.vassals.get(act.vassal.name) if known else None
    version = vassal_files.version(act)
    is_taken = not vassal or not version or version.second <= vassal.last_mod
    if is_taken and not vassal_files.refusal(act):
        return present(act)
    return vassal_files.kept(act) or present(act)


def _place(act: ActPaths) -> Path:
    return act.vassal if act.vassal.exists() else act.kept


def _refusal(act: ActPaths, fault: str) -> EditRefused:
    own = f"vassals/{act.vassal.name}"
    if not (match := _PLACE.fullmatch(fault)):
        return EditRefused(_place(act), None, fault.removeprefix(own).lstrip(": "))
    path = _place(act) if match["file"] == own else act.venue.top / match["file"]
    return EditRefused(path, int(match["line"]), match["why"])
