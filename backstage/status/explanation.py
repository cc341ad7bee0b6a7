"""Explains the state of an Act to people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..facts.snapshots import Snapshot
from ..facts.states import State
from ..layout.paths import ActPaths
from ..system import lazy
from .survey import Look

if TYPE_CHECKING:
    from . import evidence, failures
else:
    evidence = lazy.module("backstage.status.evidence")
    failures = lazy.module("backstage.status.failures")


def snapshot(act_paths: ActPaths, look: Look) -> Snapshot:
    """A snapshot with the reason why the Act fails, or what else is special about it."""
    if look.state in {State.FAILING, State.UNHEALTHY}:
        return look.snapshot(why(act_paths, look))
    if look.refused:
        return look.snapshot(f"edit refused: {look.refused}")
    return look.snapshot(str(look.untaken or "") or ("draining" if look.draining else ""))


def why(act_paths: ActPaths, look: Look) -> str:
    """Why the Act in `look` fails or does not answer well; '' if unknown."""
    if look.state is State.UNHEALTHY:
        return look.health.why if look.health else ""
    workforce = look.seen.workforce
    if workforce and workforce.halted and not workforce.threads:
        pids = ", ".join(str(pid) for pid in look.workers)
        return f"its worker (pid {pids}) is halted by a signal; type: kill -CONT {pids}"
    if look.seen.answers is False and workforce and workforce.busy:
        return f"it does not answer: all of its {workforce.busy} threads are busy"
    return failures.why_failing(evidence.gather(act_paths), look.address)
