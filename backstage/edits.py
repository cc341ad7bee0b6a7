"""Edits of vassal files by hand: the Emperor is to take the good ones, and none of the bad.

The Emperor acts on a file whose mtime is greater, in whole seconds, than that which it knows. Here
a good edit that it would overlook is dated later, and a bad one is dated back, so that the running
vassal goes on; the content is never touched.
"""

from __future__ import annotations

import os
import time
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass, replace

from . import processes, rehearsals, vassal_files
from .emperor import Emperor
from .locks import locked_if_free
from .paths import ActPaths, VenuePaths
from .stats import EmperorStats
from .vassal import VassalFile

_NANO = 1_000_000_000


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

    def dated(self, second: int) -> int:
        """An mtime in that second; vim takes a file that moved by a whole second for the same."""
        return second * _NANO + self.mtime % _NANO

    @property
    def second(self) -> int:
        return self.mtime // _NANO


class Edits:
    """Deals with each version of each vassal file of a Venue once."""

    def __init__(self, emperor: Emperor) -> None:
        self._emperor = emperor
        self._settled: dict[str, _Version] = {}
        self._used: dict[str, VassalFile] = {}
        self._dealt_with: dict[str, VassalFile | None] = {}
        self._doubtful: set[str] = set()
        # What the Emperor had acted on before an edit that is not dealt with yet.
        self._before: dict[str, int] = {}

    def begin(self, act: ActPaths, known: EmperorStats | None, pids: Collection[int]) -> None:
        """Take the file as used if the Act runs with it; otherwise as an edit to come.

        It does if its processes, `pids`, have all begun since the file was changed.
        """
        version, file = _version(act), vassal_files.current(act)
        vassal = known.vassals.get(act.vassal.name) if known else None
        if not version or not file or (vassal and version.second > vassal.last_mod):
            return
        if vassal_files.refusal(act) or file == vassal_files.kept(act) or _is_older(act, pids):
            self._settled[act.name] = version
            self._dealt_with[act.name] = file
            with suppress(OSError):
                if not vassal_files.refusal(act):
                    self._use(act, file)

    def is_new(self, act: ActPaths) -> bool:
        """Whether the file has changed since it was dealt with.

        Two writes within a tick of the kernel's clock leave the same dates, so the content counts.
        """
        if _version(act) != self._settled.get(act.name):
            return True
        return vassal_files.current(act) != self._dealt_with.get(act.name)

    def unsettled(self, paths: VenuePaths) -> set[str]:
        """The Acts whose files have changed since they were dealt with, gone ones included."""
        found = {name: _version(paths.act(name)) for name in vassal_files.names(paths.vassals)}
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
        if version is None:
            self._settled.pop(act.name, None)
            self._dealt_with.pop(act.name, None)
        if version is None or not self.is_new(act):
            return Edit()
        vassal = known.vassals.get(act.vassal.name) if known else None
        if vassal:
            self._before.setdefault(act.name, vassal.last_mod)
        with suppress(OSError), locked_if_free(act.lock) as free:
            if not free:
                return Edit(undecided=True)
            edit, mtime = self._decide(act, version, known)
            self._conclude(act, version, mtime)
            if edit.refused:
                with suppress(OSError):
                    vassal_files.refuse(act, edit.refused)
            elif in_place:
                self._doubtful.add(act.name)
            return edit
        # Not our Venue to write in: whoever may will see to it.
        self._dealt_with[act.name] = vassal_files.current(act)
        self._conclude(act, version, None)
        return Edit()

    def confirm(self, act: ActPaths, known: EmperorStats) -> None:
        """Let the Emperor read a file again that it had read before the writing was over.

        `known` is the Emperor's first word after `settle`.
        """
        version = self._settled.get(act.name)
        vassal = known.vassals.get(act.vassal.name)
        if act.name not in self._doubtful:
            return
        self._doubtful.remove(act.name)
        if version and vassal and vassal.last_mod >= version.second:
            with suppress(OSError):
                self._conclude(act, version, version.dated(vassal.last_mod + 1))

    def _decide(
        self, act: ActPaths, version: _Version, known: EmperorStats | None
    ) -> tuple[Edit, int | None]:
        """What becomes of the edit, and the mtime to give the file, if any."""
        file = self._dealt_with[act.name] = vassal_files.current(act)
        used = self._used.get(act.name) or vassal_files.kept(act)
        vassal = known.vassals.get(act.vassal.name) if known else None
        if vassal is None:
            self._let_start(act, known)
        if file is None:
            return Edit(), None
        before = self._before.get(act.name, 0)
        if vassal and file != used:
            # Whoever asks the Emperor makes it look; until this is over it is to see nothing new.
            vassal_files.date(act, version.dated(before))
            if fault := rehearsals.fault(act, running=used):
                return Edit(refused=fault), version.dated(vassal.last_mod)
        is_known = file == used and act.name not in self._settled
        self._use(act, file)
        change = ", ".join(file.differences(used)) if used else ""
        if vassal is None or is_known or version.second > before:
            return Edit(change=change), version.mtime
        return Edit(change=change), version.dated(vassal.last_mod + 1)

    def _conclude(self, act: ActPaths, version: _Version, mtime: int | None) -> None:
        """Take a version as dealt with, and give it an mtime if need be."""
        if mtime is not None:
            vassal_files.date(act, mtime)
            version = replace(version, mtime=mtime)
        self._settled[act.name] = version
        self._before.pop(act.name, None)

    def _let_start(self, act: ActPaths, known: EmperorStats | None) -> None:
        if known and act.vassal.name in known.blacklist:
            self._emperor.forgive()

    def _use(self, act: ActPaths, file: VassalFile) -> None:
        self._used[act.name] = file
        vassal_files.keep(act, file)


def _is_older(act: ActPaths, pids: Collection[int]) -> bool:
    """Whether all of these processes began after the Act's file had been changed."""
    changed = act.vassal.stat().st_ctime - time.time() + processes.boot_clock()
    return all(processes.started_after(pid, changed) for pid in pids)


def _version(act: ActPaths) -> _Version | None:
    try:
        facts = act.vassal.stat()
    except FileNotFoundError:
        return None
    return _Version.of(facts)
