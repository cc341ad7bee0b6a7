"""Stopping an Act that has failed too often in a row, if venue.yaml says after how many times."""

from __future__ import annotations

from contextlib import suppress

from ..errors import SettingsError
from ..facts.states import State
from ..layout.paths import ActPaths
from ..layout.settings import read_settings
from ..logs import log_files
from ..status.survey import Look
from ..system.locks import locked_if_free
from ..uwsgi import log_reasons, tries, vassal_files
from ..uwsgi.tries import Tries

_LINES = 2000


def note(act_paths: ActPaths, look: Look, reason: str) -> None:
    """Count the failures of a failing Act, and give it up if there are too many.

    Its file then goes to `kept/`, with edits by hand, and the reason is recorded. An Act that runs
    begins anew. While another call works on the Act, or where this user may not write, nothing is
    done.
    """
    if look.state is State.RUNNING and not look.unsure:
        with suppress(OSError):
            tries.forget(act_paths)
    if look.state is not State.FAILING or not look.seen.wanted:
        return
    limit = _limit(act_paths)
    before = tries.so_far(act_paths)
    now = _counted(act_paths, before, look)
    if not limit or (now == before and now.count < limit):
        return
    with suppress(OSError), locked_if_free(act_paths.lock) as free:
        if free and vassal_files.version(act_paths) == now.version:
            if now.count >= limit:
                _give_up(act_paths, now, reason)
            else:
                tries.record(act_paths, now)


def _give_up(act_paths: ActPaths, now: Tries, reason: str) -> None:
    why = reason or "its log does not say why"
    tries.record(act_paths, Tries(now.version, count=now.count, gave_up=why))
    vassal_files.put_away(act_paths)


def _limit(act_paths: ActPaths) -> int:
    try:
        return read_settings(act_paths.venue.settings).give_up(act_paths.name)
    except (SettingsError, OSError):
        return 0


def _counted(act_paths: ActPaths, known: Tries, look: Look) -> Tries:
    if look.seen.penalty and look.pid is None:
        known = known.with_penalty(look.seen.penalty)
    if look.seen.deaths and look.pid:
        log = log_files.tail(act_paths.log, _LINES)
        known = known.with_deaths(log_reasons.dead_while_loading(log, look.pid))
    return known
