"""Progress of a long operation: its steps and the time each took."""

from __future__ import annotations

import time
from contextlib import ExitStack

from ...operations.new_venue import Step
from .screen import Screen


class Steps:
    """Shows the current step, and a line for each completed one.

    `done` holds the title and duration, in seconds, of each completed step.
    """

    def __init__(self, screen: Screen, *, silent: bool) -> None:
        self.done: list[tuple[str, float]] = []
        self._screen = screen
        self._silent = silent
        self._current: Step | None = None
        self._began = 0.0
        self._waiting = ExitStack()

    def begin(self, step: Step) -> None:
        """Complete the previous step and begin this one."""
        self._finish()
        self._current, self._began = step, time.monotonic()
        if not self._silent:
            title = f"[{step.number}/{step.of}] {step.title}"
            self._waiting.enter_context(self._screen.waiting(title))

    def __enter__(self) -> Steps:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._finish()
        self._waiting.close()

    def _finish(self) -> None:
        if self._current is None:
            return
        self._waiting.close()
        seconds = time.monotonic() - self._began
        self.done.append((self._current.title, seconds))
        if not self._silent:
            self._screen.done_line(self._current.title, seconds)
        self._current = None
