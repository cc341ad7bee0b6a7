"""Start, stop, restart or drain several Acts in parallel, with one outcome for each."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import partial
from queue import SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING

from .errors import BackstageError
from .facts.snapshots import Snapshot
from .system import refusals

if TYPE_CHECKING:
    from .act import Act


class Verb(Enum):
    """What several Acts can be told to do."""

    START = "start"
    STOP = "stop"
    RESTART = "restart"
    DRAIN = "drain"
    UNDRAIN = "undrain"

    def __str__(self) -> str:
        return self.value


# How many Acts at a time. More would only wait for the processor.
_AT_ONCE = 4


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The result of a verb: how the Act is after `seconds` seconds, and what went wrong."""

    verb: Verb
    now: Snapshot
    seconds: float
    error: BackstageError | None


def restarts_at_once(memory: Sequence[int], processors: int, free: int) -> int:
    """How many Acts restart at a time, given the memory that each has and what is free, in bytes.

    As many as there are processors, because trying and loading code keeps one busy for each; and
    only so many that the copies of all which are tried at a time take half of what is free.
    """
    largest = sorted(memory, reverse=True)
    most = min(processors, _AT_ONCE)
    fitting = (count for count in range(most, 1, -1) if 2 * sum(largest[:count]) <= free)
    return next(fitting, 1)


def carry_out(
    verb: Verb,
    acts: Sequence[Act],
    wait: float | None,
    *,
    drain: float = 0.0,
    check: bool = True,
    at_once: int = _AT_ONCE,
) -> Iterator[Outcome]:
    """Apply the verb to each Act, and yield each outcome as soon as it is known.

    Acts are stopped after `drain` seconds in which their health path says that they are drained. A
    restart tries the new code first unless `check` is False. `at_once` is the number of Acts at a
    time.

    A failure does not stop the others. If the caller stops iterating, no further Act begins; Acts
    in progress continue.
    """
    waiting = deque(acts)
    known: SimpleQueue[Outcome | BaseException] = SimpleQueue()

    def work() -> None:
        while True:
            try:
                act = waiting.popleft()
            except IndexError:
                return
            try:
                known.put(_carry_out(verb, act, wait, drain, check))
            except BaseException as error:  # noqa: BLE001 raised again where the outcomes are read
                known.put(error)

    for _ in range(min(at_once, len(acts))):
        # Not waited for when the program ends, as after Ctrl-C.
        Thread(target=work, name=f"backstage {verb}", daemon=True).start()
    try:
        for _ in acts:
            outcome = known.get()
            if isinstance(outcome, BaseException):
                raise outcome
            yield outcome
    finally:
        waiting.clear()


def _carry_out(verb: Verb, act: Act, wait: float | None, drain: float, check: bool) -> Outcome:
    tell: dict[Verb, Callable[[float | None], None]] = {
        Verb.START: act.start,
        Verb.STOP: partial(act.stop, drain=drain),
        Verb.RESTART: partial(act.restart, check=check),
        Verb.DRAIN: act.drain,
        Verb.UNDRAIN: lambda _: act.undrain(),
    }
    began, failure = time.monotonic(), None
    try:
        tell[verb](wait)
    except BackstageError as error:
        failure = error
    except OSError as error:
        failure = refusals.refusal(error, venue=act.paths.venue.top)
    seconds = time.monotonic() - began
    return Outcome(verb=verb, now=act.snapshot(), seconds=seconds, error=failure)
