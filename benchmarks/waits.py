"""The longest wait of a request while an Act restarts, by its number of workers.

By hand, the vassal file is touched: the Emperor then reloads the whole instance. `restart` replaces
two workers or more one after the other.
"""

from __future__ import annotations

import http.client
import os
import re
import threading
import time
from collections.abc import Callable
from functools import partial

import psutil

from backstage.act import Act
from backstage.facts.states import State
from backstage.shortcuts import new_act, new_venue
from backstage.system.deadlines import Deadline, until

from .measuring import Finding, Limit, Line, Row, Timings, repeat
from .stage import Stage

_WORKERS = (1, 2, 4)
_CLIENTS = 2
_PATIENCE = 60.0
# After the reload, for requests that still wait.
_AFTER = 1.0


class Client(threading.Thread):
    """Asks for a page all the time; notes the longest wait and what failed."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self.longest = 0.0
        self.answers = 0
        self.failures: list[str] = []
        self._port = port
        self._ended = threading.Event()

    def run(self) -> None:
        while not self._ended.is_set():
            began = time.monotonic()
            try:
                self._ask()
            except OSError as error:
                self.failures.append(repr(error))
            except http.client.HTTPException as error:
                self.failures.append(repr(error))
            self.longest = max(self.longest, time.monotonic() - began)

    def _ask(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=_PATIENCE)
        try:
            connection.request("GET", "/")
            status = connection.getresponse().status
        finally:
            connection.close()
        self.answers += 1
        if status != 200:
            self.failures.append(f"status {status}")

    def end(self) -> None:
        self._ended.set()
        self.join()


def measure_waits(stage: Stage, pairs: int) -> list[Line]:
    """A touch and a `restart` of the same Act under the same clients."""
    venue = new_venue("waits", stage.top)
    act = new_act(venue, "waits")
    failures: list[str] = []
    lines: list[Line] = []
    for workers in _WORKERS:
        _set_workers(act, workers)

        def measure(number: int) -> Timings:
            touched = _longest_wait(act, partial(_touch, act), failures)
            restarted = _longest_wait(act, partial(act.restart, check=False), failures)
            return {"touch": touched, "restart": restarted}

        measured = repeat(f"restart of {workers} workers", pairs, measure)
        what = f"longest wait of a request during `restart`, {workers} worker{'s'[: workers - 1]}"
        limit = Limit(plus=0.3) if workers > 1 else None
        lines.append(Row(f"{what}, against a touch", measured["restart"], measured["touch"], limit))
    venue.stop()
    failed = len(failures)
    return [*lines, Finding("… failed requests", str(failed or "none"), "none", not failed)]


def _set_workers(act: Act, workers: int) -> None:
    text = act.vassal_text
    changed = re.sub(r"(?m)^processes = .*$", f"processes = {workers}", text)
    act.rewrite(changed, based_on=text)
    assert until(lambda: act.snapshot().workers == workers, Deadline(_PATIENCE))


def _longest_wait(act: Act, reload: Callable[[], object], failures: list[str]) -> float:
    clients = [Client(act.get_uwsgi_port()) for _ in range(_CLIENTS)]
    for client in clients:
        client.start()
    try:
        assert until(lambda: all(client.answers for client in clients), Deadline(_PATIENCE))
        reload()
        time.sleep(_AFTER)
    finally:
        for client in clients:
            client.end()
            failures += client.failures
    return max(client.longest for client in clients)


def _touch(act: Act) -> None:
    """Touch the vassal file, and return when the Act runs again."""
    # The Emperor compares whole seconds.
    time.sleep(1.1)
    former = {worker.pid for worker in psutil.Process(act.pid).children()}
    os.utime(act.paths.vassal)
    assert until(lambda: _runs_without(act, former), Deadline(_PATIENCE))


def _runs_without(act: Act, former: set[int]) -> bool:
    workers = {worker.pid for worker in psutil.Process(act.pid).children()}
    return not workers & former and act.state is State.RUNNING
