"""Edits of vassal files by hand: the Emperor is to take the good ones, and none of the bad.

The Emperor acts on a file whose mtime is greater, in whole seconds, than that which it knows. Here
a good edit that it would overlook is dated later, and a bad one is dated back, so that the running
vassal goes on; the content is never touched.
"""

from __future__ import annotations

import time
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass

from ..facts.faults import Fault
from ..layout.paths import ActPaths, VenuePaths
from ..system import processes
from ..system.locks import locked_if_free
from ..uwsgi import dry_run, vassal_files
from ..uwsgi.emperor import Emperor
from ..uwsgi.ini import VassalFile
from ..uwsgi.stats import EmperorStats
from ..uwsgi.vassal_files import Overtaken, Version


@dataclass(frozen=True)
class Edit:
    """What became of an edit; `change` says what is new in the file, `refused` why it is not used.

    `undecided` where another call is at work on the Act, so that it has to be looked at again; the
    change is that call's, perhaps.
    """

    change: str = ""
    refused: Fault | None = None
    undecided: bool = False


class Edits:
    """Deals with each version of each vassal file of a Venue once."""

    def __init__(self, emperor: Emperor) -> None:
        self._emperor = emperor
        self._settled: dict[str, Version] = {}
        self._used: dict[str, VassalFile] = {}
        self._dealt_with: dict[str, VassalFile | None] = {}
        self._doubtful: set[str] = set()
        # What the Emperor had acted on before an edit that is not dealt with yet.
        self._before: dict[str, int] = {}

    def begin(self, act_paths: ActPaths, known: EmperorStats | None, pids: Collection[int]) -> None:
        """Take the file as used if the Act runs with it; otherwise as an edit to come.

        It does if its processes, `pids`, have all begun since the file was changed.
        """
        version, file = vassal_files.version(act_paths), vassal_files.current(act_paths)
        vassal = known.vassals.get(act_paths.vassal.name) if known else None
        if not version or not file or (vassal and version.second > vassal.last_mod):
            return
        if (
            vassal_files.refusal(act_paths)
            or file == vassal_files.kept(act_paths)
            or _is_older(act_paths, pids)
        ):
            self._settled[act_paths.name] = version
            self._dealt_with[act_paths.name] = file
            if not vassal_files.refusal(act_paths):
                self._use(act_paths, file)

    def is_new(self, act_paths: ActPaths) -> bool:
        """Whether the file has changed since it was dealt with.

        Two writes within a tick of the kernel's clock leave the same dates, so the content counts.
        """
        if vassal_files.version(act_paths) != self._settled.get(act_paths.name):
            return True
        return vassal_files.current(act_paths) != self._dealt_with.get(act_paths.name)

    def pending(self, act_paths: ActPaths) -> Edit | None:
        """A change of the file that was not dealt with yet, if there is one."""
        if not self.is_new(act_paths):
            return None
        return Edit(change=self._change(act_paths, vassal_files.current(act_paths)), undecided=True)

    def unsettled(self, venue_paths: VenuePaths) -> set[str]:
        """The Acts whose files have changed since they were dealt with, gone ones included."""
        names = vassal_files.names(venue_paths.vassals)
        found = {name: vassal_files.version(venue_paths.act(name)) for name in names}
        return {
            name
            for name in found.keys() | self._settled.keys()
            if found.get(name) != self._settled.get(name)
        }

    def settle(
        self, act_paths: ActPaths, known: EmperorStats | None, *, in_place: bool = False
    ) -> Edit:
        """Deal with a file that is complete, before the Emperor is woken.

        `known` is what the Emperor said last, before the edit. `in_place` tells that the file was
        written where it is, so that the Emperor may have read half of it: `confirm` it.
        """
        version = vassal_files.version(act_paths)
        if version is None:
            self._settled.pop(act_paths.name, None)
            self._dealt_with.pop(act_paths.name, None)
        if version is None or not self.is_new(act_paths):
            return Edit()
        vassal = known.vassals.get(act_paths.vassal.name) if known else None
        if vassal:
            self._before.setdefault(act_paths.name, vassal.last_mod)
        file = vassal_files.current(act_paths)
        with suppress(OSError), locked_if_free(act_paths.lock) as free:
            if not free:
                return Edit(change=self._change(act_paths, file), undecided=True)
            try:
                edit = self._decide(act_paths, version, file, known)
            except Overtaken:
                return Edit(undecided=True)
            if in_place and not edit.refused:
                self._doubtful.add(act_paths.name)
            return edit
        # Not our Venue to write in: whoever may will see to it.
        self._conclude(act_paths, version, file)
        return Edit()

    def confirm(self, act_paths: ActPaths, known: EmperorStats) -> None:
        """Let the Emperor read a file again that it had read before the writing was over.

        `known` is the Emperor's first word after `settle`.
        """
        version = self._settled.get(act_paths.name)
        vassal = known.vassals.get(act_paths.vassal.name)
        if act_paths.name not in self._doubtful:
            return
        self._doubtful.remove(act_paths.name)
        if version and vassal and vassal.last_mod >= version.second:
            with suppress(OSError, Overtaken):
                mtime = version.dated(vassal.last_mod + 1)
                self._settled[act_paths.name] = vassal_files.date(act_paths, version, mtime)

    def _decide(
        self,
        act_paths: ActPaths,
        found: Version,
        file: VassalFile | None,
        known: EmperorStats | None,
    ) -> Edit:
        """Find out what becomes of the edit, and date the file as that wants it."""
        used = self._used.get(act_paths.name) or vassal_files.kept(act_paths)
        vassal = known.vassals.get(act_paths.vassal.name) if known else None
        if vassal is None:
            self._let_start(act_paths, known)
        if file is None:
            self._conclude(act_paths, found, None)
            return Edit()
        before, version = self._before.get(act_paths.name, 0), found
        if vassal and file != used:
            # Whoever asks the Emperor makes it look; until this is over it is to see nothing new.
            version = vassal_files.date(act_paths, version, found.dated(before))
            if fault := dry_run.fault(act_paths, running=used):
                version = vassal_files.date(act_paths, version, found.dated(vassal.last_mod))
                self._conclude(act_paths, version, file)
                with suppress(OSError):
                    vassal_files.refuse(act_paths, version, fault)
                return Edit(refused=fault)
        is_known = file == used and act_paths.name not in self._settled
        is_seen = vassal is None or is_known or found.second > before
        mtime = found.mtime if is_seen or not vassal else found.dated(vassal.last_mod + 1)
        change = self._change(act_paths, file)
        self._conclude(act_paths, vassal_files.date(act_paths, version, mtime), file)
        self._use(act_paths, file)
        return Edit(change=change)

    def _change(self, act_paths: ActPaths, file: VassalFile | None) -> str:
        """What is new in the file since it was used last."""
        used = self._used.get(act_paths.name) or vassal_files.kept(act_paths)
        return ", ".join(file.differences(used)) if file and used else ""

    def _conclude(self, act_paths: ActPaths, version: Version, file: VassalFile | None) -> None:
        """Take a version as dealt with."""
        self._settled[act_paths.name] = version
        self._dealt_with[act_paths.name] = file
        self._before.pop(act_paths.name, None)

    def _let_start(self, act_paths: ActPaths, known: EmperorStats | None) -> None:
        if known and act_paths.vassal.name in known.blacklist:
            self._emperor.forgive()

    def _use(self, act_paths: ActPaths, file: VassalFile) -> None:
        self._used[act_paths.name] = file
        with suppress(OSError):
            vassal_files.keep(act_paths, file)


def _is_older(act_paths: ActPaths, pids: Collection[int]) -> bool:
    """Whether all of these processes began after the Act's file had been changed."""
    changed = act_paths.vassal.stat().st_ctime - time.time() + processes.boot_clock()
    return all(processes.started_after(pid, changed) for pid in pids)
