"""Edits of vassal files by hand: the Emperor should load good ones, and no bad ones.

The Emperor acts on a file whose mtime, in whole seconds, is later than the one it knows. So this
module dates a good edit anew if the Emperor would miss it, and a bad edit back, so that the vassal
keeps running. The content is never touched.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Collection
from contextlib import AbstractContextManager, ExitStack, suppress
from dataclasses import dataclass

from ..errors import SystemRefused
from ..facts.faults import Fault
from ..facts.sightings import Vassal
from ..layout.paths import ActPaths, VenuePaths
from ..system import processes
from ..system.locks import locked_if_free
from ..system.refusals import is_shortage
from ..uwsgi import dry_run, loaded, reloading, vassal_files
from ..uwsgi.emperor import Emperor
from ..uwsgi.ini import VassalFile
from ..uwsgi.reloading import NotListening
from ..uwsgi.stats import EmperorStats
from ..uwsgi.vassal_files import Overtaken, Version

# What the kernel says where this user may not write, or where there is no Venue any more.
_NOT_OURS = frozenset(
    {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT, errno.ENOTDIR, errno.EEXIST}
)


@dataclass(frozen=True)
class Edit:
    """The result of an edit; `change` says what is new in the file, `refused` why it is not used.

    It is `undecided` while another call works on the Act, and may be that call's change: look again
    soon. If the system has run out of something, `short` says of what: look again later.
    """

    change: str = ""
    refused: Fault | None = None
    undecided: bool = False
    short: str = ""


class Edits:
    """Handles each version of each vassal file of a Venue once."""

    def __init__(self, emperor: Emperor) -> None:
        self._emperor = emperor
        self._settled: dict[str, Version] = {}
        self._used: dict[str, VassalFile] = {}
        self._dealt_with: dict[str, VassalFile | None] = {}
        self._doubtful: set[str] = set()
        # Edits that are not handled yet: the version that was found first, and the mtime that the
        # Emperor had acted on before, or 0 if it did not have the vassal.
        self._before: dict[str, tuple[Version, int]] = {}

    def begin(self, act_paths: ActPaths, known: EmperorStats | None, pids: Collection[int]) -> None:
        """Take the file as used if the Act runs with it; otherwise as a new edit.

        Without a record of what the Act has loaded, it runs with it if all of its processes,
        `pids`, began after the file was changed.
        """
        version, file = vassal_files.version(act_paths), vassal_files.current(act_paths)
        # Now, because another process that watches may keep an edit before we have seen it.
        kept = vassal_files.kept(act_paths)
        if kept:
            self._used[act_paths.name] = kept
        vassal = known.vassals.get(act_paths.vassal.name) if known else None
        if not version or not file or (vassal and version.second > vassal.last_mod):
            return
        is_used = loaded.is_loaded(act_paths, vassal.pid) if vassal else None
        if is_used is None:
            is_used = file == kept or _is_older(act_paths, pids)
        if is_used or vassal_files.refusal(act_paths):
            self._settled[act_paths.name] = version
            self._dealt_with[act_paths.name] = file
            if not vassal_files.refusal(act_paths):
                self._use(act_paths, file)

    def forget(self, name: str) -> None:
        """Forget an Act that was retired."""
        for known in (self._settled, self._used, self._dealt_with, self._before):
            known.pop(name, None)
        self._doubtful.discard(name)

    def is_new(self, act_paths: ActPaths) -> bool:
        """Whether the file has changed since it was handled.

        Compares the content too, as two writes within a tick of the kernel's clock have one mtime.
        """
        if vassal_files.version(act_paths) != self._settled.get(act_paths.name):
            return True
        return vassal_files.current(act_paths) != self._dealt_with.get(act_paths.name)

    def pending(self, act_paths: ActPaths) -> Edit | None:
        """A change of the file that was not handled yet, if any."""
        if not self.is_new(act_paths):
            return None
        return Edit(change=self._change(act_paths, vassal_files.current(act_paths)), undecided=True)

    def unsettled(self, venue_paths: VenuePaths) -> set[str]:
        """The Acts whose files have changed since they were handled, removed files included."""
        found = vassal_files.versions(venue_paths.vassals)
        return {
            name
            for name in found.keys() | self._settled.keys()
            if found.get(name) != self._settled.get(name)
        }

    def settle(
        self, act_paths: ActPaths, known: EmperorStats | None, *, in_place: bool = False
    ) -> Edit:
        """Handle a complete file, before the Emperor is woken.

        `known` is the Emperor's last stats, from before the edit. `in_place` means that the file
        was written in place, so the Emperor may have read half of it: call `confirm` afterwards.
        """
        version = vassal_files.version(act_paths)
        if version is None:
            self._settled.pop(act_paths.name, None)
            self._dealt_with.pop(act_paths.name, None)
        if version is None or not self.is_new(act_paths):
            return Edit()
        vassal = known.vassals.get(act_paths.vassal.name) if known else None
        if act_paths.name not in self._before or self._before[act_paths.name][0] != version:
            self._before[act_paths.name] = version, vassal.last_mod if vassal else 0
        file = vassal_files.current(act_paths)
        with ExitStack() as holding:
            try:
                free = holding.enter_context(_locked_if_ours(act_paths))
            except OSError as error:
                if error.errno not in _NOT_OURS:
                    return _undecided(error)
                # A process of the Venue's owner handles the edit.
                self._conclude(act_paths, version, file)
                return Edit()
            if not free:
                return Edit(change=self._change(act_paths, file), undecided=True)
            try:
                edit = self._decide(act_paths, version, file, known)
            except (OSError, SystemRefused, Overtaken, NotListening) as error:
                return _undecided(error)
            if in_place and not edit.refused:
                self._doubtful.add(act_paths.name)
            return edit

    def confirm(self, act_paths: ActPaths, known: EmperorStats) -> None:
        """Make the Emperor read a file again if it read it before it was completely written.

        `known` is the Emperor's first stats after `settle`.
        """
        version = self._settled.get(act_paths.name)
        vassal = known.vassals.get(act_paths.vassal.name)
        if act_paths.name not in self._doubtful:
            return
        self._doubtful.remove(act_paths.name)
        if version and vassal and vassal.last_mod >= version.second:
            try:
                self._settled[act_paths.name] = reloading.load(act_paths, vassal, version)
            except NotListening:
                self._settled.pop(act_paths.name)
            except (OSError, Overtaken):
                pass

    def _decide(
        self,
        act_paths: ActPaths,
        found: Version,
        file: VassalFile | None,
        known: EmperorStats | None,
    ) -> Edit:
        """Accept or refuse the edit, and set the file's mtime accordingly."""
        used = self._used.get(act_paths.name) or vassal_files.kept(act_paths)
        vassal = known.vassals.get(act_paths.vassal.name) if known else None
        if vassal is None:
            self._let_start(act_paths, known)
        if file is None:
            self._conclude(act_paths, found, None)
            return Edit()
        version, (_, before) = found, self._before.get(act_paths.name, (found, 0))
        if vassal and file != used:
            # A request to the Emperor makes it look; until the decision it must see nothing new.
            hidden = found.dated(before or vassal.last_mod)
            version = vassal_files.date(act_paths, version, hidden)
            fault = dry_run.fault(act_paths, running=used)
            former, vassal = vassal.pid, self._vassal_now(act_paths, known)
            if vassal and vassal.pid != former:
                # It has started since, so what the Emperor knew before is of no use.
                before = vassal.last_mod
            if fault:
                shown = found.dated(vassal.last_mod if vassal else before)
                version = vassal_files.date(act_paths, version, shown)
                self._conclude(act_paths, version, file)
                with suppress(OSError):
                    vassal_files.refuse(act_paths, version, fault)
                return Edit(refused=fault)
        is_known = file == used and act_paths.name not in self._settled
        is_seen = vassal is None or is_known or before < found.second <= time.time()
        change = self._change(act_paths, file)
        if is_seen or not vassal:
            version = vassal_files.date(act_paths, version, found.mtime)
        else:
            version = reloading.load(act_paths, vassal, version)
        self._conclude(act_paths, version, file)
        self._use(act_paths, file)
        return Edit(change=change)

    def load_again(self, act_paths: ActPaths, known: EmperorStats | None) -> None:
        """Make the Act load a file that was accepted and that it does not run with."""
        version, vassal = self._settled.get(act_paths.name), self._vassal_now(act_paths, known)
        if version is None or vassal is None or vassal_files.refusal(act_paths):
            return
        with (
            suppress(OSError, Overtaken, NotListening),
            locked_if_free(act_paths.lock) as free,
        ):
            if free:
                self._settled[act_paths.name] = reloading.load(act_paths, vassal, version)

    def _vassal_now(self, act_paths: ActPaths, known: EmperorStats | None) -> Vassal | None:
        known = self._emperor.stats() or known
        return known.vassals.get(act_paths.vassal.name) if known else None

    def _change(self, act_paths: ActPaths, file: VassalFile | None) -> str:
        """What has changed in the file since it was last used."""
        used = self._used.get(act_paths.name) or vassal_files.kept(act_paths)
        return ", ".join(file.differences(used)) if file and used else ""

    def _conclude(self, act_paths: ActPaths, version: Version, file: VassalFile | None) -> None:
        """Record a version as handled."""
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


def _undecided(error: Exception) -> Edit:
    lacks = isinstance(error, OSError) and is_shortage(error)
    return Edit(undecided=True, short=str(error) if lacks else "")


def _locked_if_ours(act_paths: ActPaths) -> AbstractContextManager[bool]:
    """Like `locked_if_free`; raises PermissionError if this user may not date vassal files."""
    if not os.access(act_paths.venue.vassals, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), act_paths.venue.vassals)
    return locked_if_free(act_paths.lock)


def _is_older(act_paths: ActPaths, pids: Collection[int]) -> bool:
    """Whether the Act's file is older than all of these processes."""
    changed = act_paths.vassal.stat().st_ctime - time.time() + processes.boot_clock()
    return all(processes.started_after(pid, changed) for pid in pids)
