"""Explains the state of an Act to people."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from ..facts.advice import make_act
from ..facts.past import DOWN
from ..facts.snapshots import Snapshot
from ..facts.states import State
from ..layout.paths import ActPaths, VenuePaths
from ..system import lazy, memory
from ..uwsgi import tries
from . import tallies
from .survey import Look

if TYPE_CHECKING:
    from . import evidence, failures
else:
    evidence = lazy.module("backstage.status.evidence")
    failures = lazy.module("backstage.status.failures")


def snapshot(act_paths: ActPaths, look: Look) -> Snapshot:
    """A snapshot, with the reason why the Act is as it is."""
    return snapshots(act_paths.venue, {act_paths.name: look})[0]


def snapshots(venue_paths: VenuePaths, looks: Mapping[str, Look]) -> tuple[Snapshot, ...]:
    """Snapshots of several Acts; their memory is measured together."""
    used = memory.of_families({look.pid: look.workers for look in looks.values() if look.pid})
    return tuple(
        _with_past(venue_paths.act(name), look, used.get(look.pid or 0, 0))
        for name, look in looks.items()
    )


def _with_past(act_paths: ActPaths, look: Look, memory_used: int) -> Snapshot:
    now = look.snapshot(_reason(act_paths, look), memory_used)
    tally = tallies.read(act_paths)
    if tally is None:
        return now
    # The watcher may not have counted the last one yet; uWSGI forgets those of workers in a reload.
    is_present = look.pid is not None and tally.pid == look.pid
    restarts = max(now.restarts, tally.restarts) if is_present else now.restarts
    past = tally.past(time.time(), is_down=look.state in DOWN)
    return replace(now, restarts=restarts, past=past)


def _reason(act_paths: ActPaths, look: Look) -> str:
    """Why the Act fails, or what is wrong although it runs; '' if nothing is.

    What is not complete may fail for any reason, and is to be completed first.

    The latter is a master or an Emperor that is halted, an edit that it does not run with,
    statistics that cannot be right, or draining. A stopped Act may have been given up.
    """
    if look.incomplete:
        command = make_act(act_paths.venue.top, act_paths.name, "").command
        return f"it is being made; if that was cut short, type: {command}"
    if look.state in {State.FAILING, State.UNHEALTHY}:
        return why(act_paths, look)
    if look.halt:
        return str(look.halt)
    if look.state is State.STOPPED:
        return tries.given_up(act_paths)
    if look.refused:
        return f"edit refused: {look.refused}"
    return str(look.untaken or _odd(look) or ("draining" if look.draining else ""))


def why(act_paths: ActPaths, look: Look) -> str:
    """Why the Act in `look` fails or does not answer well; '' if unknown."""
    if look.standstill:
        return str(look.standstill)
    if look.state is State.UNHEALTHY:
        return look.health.why if look.health else ""
    workforce = look.seen.workforce
    if workforce and not workforce.intended:
        return failures.why_no_workers(evidence.gather(act_paths))
    if look.seen.answers is False and workforce and workforce.busy:
        return f"it does not answer: all of its {workforce.busy} threads are busy"
    return failures.why_failing(evidence.gather(act_paths), look.address) or _odd(look)


def _odd(look: Look) -> str:
    return f"its statistics are not uWSGI's: {look.odd}" if look.odd else ""
