"""Being told to end: SIGTERM is as Ctrl-C, and whoever runs the tests tells it to its workers."""

from __future__ import annotations

import signal
from contextlib import suppress
from types import FrameType

import psutil
import pytest
from xdist.workermanage import NodeManager

from .patience import PATIENCE


class Ending:
    """`begun` once this process was told to end: what would take its time is then cut short."""

    def __init__(self) -> None:
        self.begun = False
        self._has_workers = False

    def listen(self, config: pytest.Config) -> None:
        """Also for Ctrl-C, which is ignored in the background of a shell and by all begun there."""
        is_worker = hasattr(config, "workerinput")
        self._has_workers = not is_worker and bool(config.getoption("tx", None))
        # Otherwise a worker that is still tidying up after ten seconds is killed.
        NodeManager.EXIT_TIMEOUT = PATIENCE
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._begin)

    def _begin(self, number: int, frame: FrameType | None) -> None:
        # What comes later would interrupt the tidying up: a terminal tells all processes of a run,
        # and the one that runs the workers tells them again.
        if self.begun:
            return
        self.begun = True
        if self._has_workers:
            for worker in psutil.Process().children():
                with suppress(psutil.Error):
                    worker.terminate()
        raise KeyboardInterrupt


ENDING = Ending()
