"""Whether the resources of a process that watches for long keep growing."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import cycle

import psutil

from .audience import Audience
from .light import LightAct, light_acts
from .measuring import Finding
from .stage import Stage

_COUNT = 100
_WARM_UP = 1_000
_EVENTS_A_PAIR = 1_300
# Each waits until uWSGI's next check; more at once would only wait for the CPU.
_AT_ONCE = 16
# A change without a final event counts as missed after this many seconds.
_PATIENCE = 20.0
_BETWEEN_CHECKS = 50
_BEAT = 1.0
_CALM = 3.0
_GROWTH = 0.05

_Change = Callable[[LightAct], object]


def measure_flow(stage: Stage, pairs: int) -> list[Finding]:
    """Files, threads and memory of one observer after many events: ten thousand with 7 pairs."""
    with light_acts(stage, "flow", _COUNT) as acts, ExitStack() as closing:
        audience = Audience(stage, acts[0].venue)
        closing.callback(stage.kill, audience.process)
        bustle = _Bustle(acts, audience)
        bustle.go_on(_WARM_UP)
        began, before = time.monotonic(), _Holdings.of(audience.process.pid)
        bustle.go_on(_WARM_UP + pairs * _EVENTS_A_PAIR)
        seconds, after = time.monotonic() - began, _Holdings.of(audience.process.pid)
    growth = after.memory / before.memory - 1
    return [
        Finding(
            f"memory of the observer, from {_WARM_UP:,} to {bustle.heard:,} events",
            f"{before.memory / 1e6:.1f} MB, {growth:+.1%}",
            f"≤ {_GROWTH:+.0%}",
            growth <= _GROWTH,
        ),
        _unchanged("… its open files", before.files, after.files),
        _unchanged("… its threads", before.threads, after.threads),
        Finding("… missed changes", str(bustle.missed), "none", not bustle.missed),
        Finding("… events per second", f"{(bustle.heard - _WARM_UP) / seconds:.0f} /s"),
    ]


@dataclass(frozen=True)
class _Holdings:
    """The resources of a process: open files, threads, and bytes of memory."""

    files: int
    threads: int
    memory: int

    @classmethod
    def of(cls, pid: int) -> _Holdings:
        process = psutil.Process(pid)
        return cls(process.num_fds(), process.num_threads(), process.memory_info().rss)


@dataclass
class _Bustle:
    """Acts that are killed, touched, stopped and started in turn, a few at a time.

    `heard` counts events, `missed` the changes without a final event.
    """

    acts: list[LightAct]
    audience: Audience
    heard: int = 0
    missed: int = 0
    _busy: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._by_name = {act.name: act for act in self.acts}
        self._turns = self._endless_turns()

    def go_on(self, goal: int) -> None:
        """Go on until this many events were received in all, then let everything settle."""
        while self.heard < goal:
            while len(self._busy) < _AT_ONCE:
                self._change(*next(self._turns))
            self._hear()
        while self._busy:
            self._hear()
        time.sleep(_CALM)

    def _change(self, act: LightAct, change: _Change) -> None:
        if act.name not in self._busy:
            self._busy[act.name] = time.monotonic() + _PATIENCE
            change(act)

    def _hear(self) -> None:
        event = self.audience.next(_BEAT)
        if event is None or self.heard % _BETWEEN_CHECKS == 0:
            self._give_up_the_missed()
        if event is None:
            return
        self.heard += 1
        if self.heard % _WARM_UP == 0:
            print(f"flow: {self.heard} events", file=sys.stderr, flush=True)
        if event.after == "stopped":
            self._by_name[event.act].rename_new()
        elif event.after == "running":
            self._busy.pop(event.act, None)

    def _give_up_the_missed(self) -> None:
        now = time.monotonic()
        for name in [name for name, end in self._busy.items() if end < now]:
            self.missed += 1
            print(f"flow: no event for {name}", file=sys.stderr, flush=True)
            del self._busy[name]
            if not self._by_name[name].file.exists():
                self._by_name[name].rename_new()

    def _endless_turns(self) -> Iterator[tuple[LightAct, _Change]]:
        for change in cycle(_CHANGES):
            for act in self.acts:
                yield act, change


def _kill_worker(act: LightAct) -> None:
    _, workers = act.processes()
    os.kill(workers[0], signal.SIGKILL)


def _unchanged(what: str, before: int, after: int) -> Finding:
    return Finding(what, f"{before}, then {after}", "no more", after <= before)


_CHANGES: tuple[_Change, ...] = (_kill_worker, LightAct.touch, LightAct.remove)
