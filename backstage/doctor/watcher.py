"""Examining the watcher: whether somebody takes up edits at once."""

from __future__ import annotations

from collections.abc import Iterator

from ..facts.command_line import join
from ..facts.watching import Watcher, Watching
from ..layout.paths import VenuePaths
from ..layout.settings import read_settings
from ..logs import log_files
from ..status.survey import Survey
from ..system.files import contents
from ..uwsgi import ini, resident
from .finding import Finding, Remedy, note, ok, warning

_WATCHER = "watcher"
_START = "backstage venue start"
_ANEW = "backstage venue stop && backstage venue start"


def examine(survey: Survey) -> Iterator[Finding]:
    """Whether the watcher runs, and if it does not, why."""
    paths = survey.paths
    wanted = read_settings(paths.settings).watcher
    seen = resident.look(paths, wanted=wanted, emperor=survey.emperor.pid)
    yield _missing(paths) if seen.state is Watching.MISSING else _finding(seen)


def _finding(seen: Watcher) -> Finding:
    if seen.state is Watching.HALTED:
        remedy = Remedy(command=f"kill -CONT {seen.pid}")
        return warning(_WATCHER, f"is halted by a signal (pid {seen.pid})", remedy)
    if seen.state is Watching.OFF:
        remedy = Remedy("remove `watcher: off` from venue.yaml, then", _START)
        return note(_WATCHER, "is off: edits are only taken up while a command watches", remedy)
    if seen.state is Watching.UNSUPPORTED:
        what = "there is none: the Venue was made by a version of Backstage without it"
        return note(_WATCHER, what, Remedy(command="backstage upgrade --restart-emperor"))
    if seen.state in {Watching.STOPPED, Watching.STARTING}:
        return ok(_WATCHER, "starts with the Emperor")
    return ok(_WATCHER, f"runs, pid {seen.pid}")


def _missing(venue_paths: VenuePaths) -> Finding:
    """Why the Emperor does not run it."""
    if not _is_looked_for(venue_paths):
        line = "emperor = %d.backstage/residents"
        words = f"write `{line}` into {venue_paths.emperor_ini} before `emperor = %dvassals`, then"
        return warning(_WATCHER, "the Emperor does not look for it", Remedy(words, _ANEW))
    if not venue_paths.watcher.exists() or not venue_paths.library.exists():
        return warning(_WATCHER, "does not run", Remedy(command=_START))
    logs = (venue_paths.watcher_log, log_files.rotated(venue_paths.watcher_log))
    told = [words for log in logs if (words := log_files.tail(log, 1))]
    said = told[0] if told else f"see {venue_paths.emperor_log}"
    renewal = f"{join(['rm', str(venue_paths.library)])} && {_START}"
    remedy = Remedy("to renew its copy of the library,", renewal)
    return warning(_WATCHER, f"does not run: {said}", remedy)


def _is_looked_for(venue_paths: VenuePaths) -> bool:
    text = contents(venue_paths.emperor_ini).decode(errors="replace")
    return any(resident.is_its_directory(key, value) for _, key, value in ini.settings(text))
