"""Edits of vassal files by hand: the Emperor is to take the good ones, and none of the bad.

The Emperor acts on a file whose mtime is greater, in whole seconds, than that which it knows. Here
a good edit that it would overlook is dated later, and a bad one is dated back, so that the running
vassal goes on; the content is never touched.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass, replace

from . import rehearsals, vassal_files
from .emperor import Emperor
from .locks import locked_if_free
from .paths import ActPaths, VenuePaths
from .stats import EmperorStats
from .vassal import VassalFile


@dataclass(frozen=True)
class Edit:
    """What became of an edit; `change` says what is new in the file, `refused` why it is not used.

    `undecided` where another call is at work on the Act, so that it has to be looked at again.
    """

    change: str = ""
    refused: str = ""
    undecided: bool = False


@dataclass(frozen=True)
class _Version:
    """A vassal file as it was dealt with: its inode, size and mtime in nanoseconds."""

    inode: int
    size: int
    mtime: int

    @classmethod
    def of(cls, facts: os.stat_result) -> _Version:
        return cls(facts.st_ino, facts.st_size, facts.st_mtime_ns)

    @property
    def second(self) -> int:
        return self.mtime // 1_000_000_000


class Edits:
    """Deals with each version of each vassal file of a Venue once."""

    def __init__(self, emperor: Emperor) -> None:
        self._emperor = emperor
        self._settled: dict[str, _Version] = {}
        self._used: dict[str, VassalFile] = {}
        self._doubtful: dict[str, int] = {}

    def begin(self, act: ActPaths, known: EmperorStats | None) -> None:
        """Take the file as used if the Emperor has acted on it; otherwise as an edit to come."""
        version, file = _version(act), vassal_files.current(act)
        vassal = known.vassals.get(act.vassal.name) if known else None
        if not version or not file or (vassal and version.second > vassal.last_mod):
            return
        self._settled[act.name] = version
        if not vassal_files.refusal(act):
            with suppress(OSError):
                self._use(act, file)

    def is_new(self, act: ActPaths) -> bool:
        """Whether the file has changed since it was dealt with."""
        return _version(act) != self._settled.get(act.name)

    def unsettled(self, paths: VenuePaths) -> set[str]:
        """The Acts whose files have changed since they were dealt with, gone ones included."""
        found: dict[str, _Version] = {}
        with suppress(FileNotFoundError), os.scandir(paths.vassals) as entries:
            for entry in entries:
                name, _, suffix = entry.name.rpartition(".")
                if suffix == "ini" and name and not name.startswith("."):
                    with suppress(FileNotFoundError):
                        found[name] = _Version.of(entry.stat())
        return {
            name
            for name in found.keys() | self._settled.keys()
            if found.get(name) != self._settled.get(name)
        }

    def settle(self, act: ActPaths, known: EmperorStats | None, *, in_place: bool = False) -> Edit:
        """Deal with a file that is complete, before the Emperor is woken.

        `known` is what the Emperor said last, before the edit. `in_place` tells that the file was
        written where it is, so that the Emperor may have read half of it: `confirm` it.
        """
        version = _version(act)
        if version is None or version == self._settled.get(act.name):
            if version is None:
                self._settled.pop(act.name, None)
            return Edit()
        with suppress(OSError), locked_if_free(act.lock) as free:
            if not free:
                return Edit(undecided=True)
            edit, second = self._decide(act, version, known)
            if second is not None:
                version = replace(version, mtime=vassal_files.date(act, second))
            self._settled[act.name] = version
            if edit.refused:
                vassal_files.refuse(act, edit.refused)
            elif in_place:
                self._doubtful[act.name] = version.second
            return edit
        # Not our Venue to write in: whoever may will see to it.
        self._settled[act.name] = version
        return Edit()

    def confirm(self, act: ActPaths, known: EmperorStats) -> None:
        """Let the Emperor read a file again that it had read before the writing was over.

        `known` is the Emperor's first word after `settle`.
        """
        second = self._doubtful.pop(act.name, None)
        vassal = known.vassals.get(act.vassal.name)
        if second is not None and vassal and vassal.last_mod >= second:
            with suppress(OSError):
                vassal_files.date(act, vassal.last_mod + 1)

    def _decide(
        self, act: ActPaths, version: _Version, known: EmperorStats | None
    ) -> tuple[Edit, int | None]:
        """What becomes of the edit, and the second to date the file to, if any."""
        file = vassal_files.current(act)
        used = self._used.get(act.name) or vassal_files.kept(act)
        vassal = known.vassals.get(act.vassal.name) if known else None
        if vassal is None:
            self._let_start(act, known)
        if file is None:
            return Edit(), None
        fault = rehearsals.fault(act, running=used) if vassal and file != used else ""
        if vassal and fault:
            return Edit(refused=fault), vassal.last_mod
        is_known = file == used and act.name not in self._settled
        self._use(act, file)
        change = ", ".join(file.differences(used)) if used else ""
        if vassal is None or is_known or version.second > vassal.last_mod:
            return Edit(change=change), None
        return Edit(change=change), vassal.last_mod + 1

    def _let_start(self, act: ActPaths, known: EmperorStats | None) -> None:
        if known and act.vassal.name in known.blacklist:
            self._emperor.forgive()

    def _use(self, act: ActPaths, file: VassalFile) -> None:
        self._used[act.name] = file
        vassal_files.keep(act, file)


def _version(act: ActPaths) -> _Version | None:
    try:
        facts = act.vassal.stat()
    except FileNotFoundError:
        return None
    return _Version.of(facts)
