"""Rewrite vassal files: check the new text, then write it so that the Act loads it."""

from __future__ import annotations

import math
from pathlib import Path

from ..errors import ActFailed, EditRefused
from ..facts.faults import Fault
from ..facts.sightings import Vassal
from ..layout.paths import ActPaths
from ..system import files
from . import dry_run, loaded, reloading, vassal_files
from .ini import VassalFile
from .stats import EmperorStats


def present(act_paths: ActPaths) -> VassalFile:
    """The Act's vassal file, or the kept one while it is stopped; raises ActFailed without one."""
    file = vassal_files.load(act_paths)
    if file is None:
        raise ActFailed(
            act_paths.name, f"has no vassal file; make one with new_act(venue, {act_paths.name!r})"
        )
    return file


def check(act_paths: ActPaths, text: str, known: EmperorStats | None) -> None:
    """Raise EditRefused if the Act could not work with this text. The Act must be locked.

    `known` is the Emperor's report: the ports of the running Act are not checked again.
    """
    if fault := dry_run.fault_in(text, act_paths, _running(act_paths, known)):
        raise _refusal(act_paths, fault)


def rewrite(
    act_paths: ActPaths, text: str, based_on: str, known: EmperorStats | None
) -> tuple[str, ...]:
    """Check and write a text; return the changes as lines of `VassalFile.differences`.

    Raises EditRefused as `check` does, and if the file no longer equals `based_on`. The Act must be
    locked.
    """
    check(act_paths, text, known)
    before, after = present(act_paths), VassalFile(act_paths.name, text)
    if before.text != based_on or vassal_files.is_being_written(act_paths):
        why = "was changed in the meantime; read it again and repeat the edit"
        raise EditRefused(_place(act_paths), None, why)
    if act_paths.vassal.exists():
        files.refuse_writable_by_others(act_paths.venue.vassals)
        vassal = known.vassals.get(act_paths.vassal.name) if known else None
        # Of a symbolic link, the operator edits the target.
        target = act_paths.vassal.resolve()
        vassal_files.write(target, text, mtime=vassal.last_mod if vassal else math.inf)
        if vassal:
            reloading.reload(act_paths, vassal)
        vassal_files.keep(act_paths, after)
    else:
        vassal_files.write(act_paths.kept, text)
    return tuple(after.differences(before))


def _running(act_paths: ActPaths, known: EmperorStats | None) -> VassalFile:
    """The file that the Act runs with, or ran with before it was stopped."""
    vassal = known.vassals.get(act_paths.vassal.name) if known else None
    is_taken = loaded.is_loaded(act_paths, vassal.pid) if vassal else True
    if is_taken is None:
        is_taken = not _is_later(act_paths, vassal)
    if is_taken and not vassal_files.refusal(act_paths):
        return present(act_paths)
    return vassal_files.kept(act_paths) or present(act_paths)


def _is_later(act_paths: ActPaths, vassal: Vassal | None) -> bool:
    """Whether the Emperor has yet to act on the file, by its date."""
    version = vassal_files.version(act_paths)
    return bool(vassal and version and version.second > vassal.last_mod)


def _place(act_paths: ActPaths) -> Path:
    return act_paths.vassal if act_paths.vassal.exists() else act_paths.kept


def _refusal(act_paths: ActPaths, fault: Fault) -> EditRefused:
    path = act_paths.venue.top / fault.file
    # While the Act is stopped, its vassal file is the kept one.
    is_own = path == act_paths.vassal
    return EditRefused(_place(act_paths) if is_own else path, fault.line, fault.why)
