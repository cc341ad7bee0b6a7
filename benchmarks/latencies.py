"""The time from a cause to its event, for a process that waits for it."""

from __future__ import annotations

import os
import select
import signal
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from random import Random

from .answers import first_200
from .audience import Audience
from .light import LightAct, light_acts
from .measuring import Finding, Latencies, Line, Timings, repeat
from .stage import Stage

# Percentiles need more rounds than medians of ratios.
_ROUNDS_A_PAIR = 6
_USUAL, _AT_MOST = 0.020, 0.100
# uWSGI's Emperor and masters check about once a second, so causes come at random moments. uWSGI
# delays the respawn of a process killed right after its start, so none is killed so early.
_PAUSES = (0.4, 1.4)
_PATIENCE = 30.0

_TOLD = {
    "starting": "vassal file written → `starting`",
    "running": "port answers → `running`",
    "worker": "`kill -9` of a worker → `starting`",
    "master": "`kill -9` of a master → `starting`",
    "renamed": "edit, file renamed → `reloading`",
    "written": "edit, file written in place → `reloading`",
    "stopping": "vassal file removed → `stopping`",
    "stopped": "last process gone → `stopped`",
}


def measure_latencies(stage: Stage, pairs: int) -> list[Line]:
    """Every kind of event of one Act, alone and among a hundred."""
    return [row for count in (1, 100) for row in _measure(stage, pairs * _ROUNDS_A_PAIR, count)]


def _measure(stage: Stage, rounds: int, count: int) -> list[Line]:
    random = Random(count)
    with light_acts(stage, f"events-{count}", count) as acts, ExitStack() as closing:
        audience = Audience(stage, acts[0].venue)
        closing.callback(stage.kill, audience.process)

        def measure(number: int) -> Timings:
            act = random.choice(acts)
            timings: Timings = {}
            for change in _CHANGES:
                time.sleep(random.uniform(*_PAUSES))
                audience.forget()
                timings |= change(act, audience)
            return timings

        measured = repeat(f"events, 1 of {count}", rounds, measure)
    among = "one Act" if count == 1 else f"one of {count} Acts"
    ways = Counter(f"{heard.before} → {heard.after}" for heard in audience.detours)
    detours = ", ".join(f"{times} times {way}" for way, times in ways.items())
    return [
        *(
            Latencies(f"{what}, {among}", measured[name], _USUAL, _AT_MOST)
            for name, what in _TOLD.items()
        ),
        Finding(f"… other events on the way there, in {rounds} rounds", detours or "none"),
    ]


def _crash_worker(act: LightAct, audience: Audience) -> Timings:
    _, workers = act.processes()
    return {"worker": _kill(act, workers[0], audience)}


def _crash_master(act: LightAct, audience: Audience) -> Timings:
    master, _ = act.processes()
    return {"master": _kill(act, master, audience)}


def _kill(act: LightAct, pid: int, audience: Audience) -> float:
    began = time.monotonic()
    os.kill(pid, signal.SIGKILL)
    told = audience.hear(act.name, "starting")
    audience.hear(act.name, "running")
    return told - began


def _rename(act: LightAct, audience: Audience) -> Timings:
    return {"renamed": _reloading(act, act.rename_new(), audience)}


def _write(act: LightAct, audience: Audience) -> Timings:
    return {"written": _reloading(act, act.write_new(), audience)}


def _reloading(act: LightAct, began: float, audience: Audience) -> float:
    told = audience.hear(act.name, "reloading")
    audience.hear(act.name, "running")
    return told - began


def _stop(act: LightAct, audience: Audience) -> Timings:
    master, workers = act.processes()
    with ExitStack() as closing:
        ends = [os.pidfd_open(pid) for pid in (master, *workers)]
        for end in ends:
            closing.callback(os.close, end)
        began = act.remove()
        gone = _last_end(ends)
    return {
        "stopping": audience.hear(act.name, "stopping") - began,
        "stopped": audience.hear(act.name, "stopped") - gone,
    }


def _last_end(descriptors: list[int]) -> float:
    """When the last of several processes has ended."""
    waiting = select.poll()
    for descriptor in descriptors:
        waiting.register(descriptor, select.POLLIN)
    left = len(descriptors)
    while left:
        ended = waiting.poll(_PATIENCE * 1000)
        if not ended:
            raise RuntimeError(f"{left} processes of a stopped Act do not end")
        for descriptor, _ in ended:
            waiting.unregister(descriptor)
        left -= len(ended)
    return time.monotonic()


def _start(act: LightAct, audience: Audience) -> Timings:
    began = act.rename_new()
    answered = first_200(act.port, audience.process)
    starting = audience.hear(act.name, "starting") - began
    # The observer may know before a client has its answer.
    return {
        "starting": starting,
        "running": max(0.0, audience.hear(act.name, "running") - answered),
    }


_CHANGES: tuple[Callable[[LightAct, Audience], Timings], ...] = (
    _crash_worker,
    _rename,
    _write,
    _crash_master,
    _stop,
    _start,
)
