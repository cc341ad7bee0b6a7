"""Sending a notice to targets, in a process of its own that ends in time."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from ..facts.notices import Delivery, Notice, Target
from ..layout.paths import VenuePaths
from ..system import programs, users
from ..system.deadlines import Deadline

# How long it may take to tell all targets, in seconds.
PATIENCE = 90.0
_PROGRAM = (
    "import sys; sys.path[:0] = sys.argv[1:]; from backstage.watcher import sender; sender.main()"
)
# The end of the output that is read, in bytes: more than the lines about all targets.
_ENOUGH = 64 * 1024


class Sending:
    """A process that tells targets of a notice. Raises OSError if it cannot be started."""

    def __init__(self, venue_paths: VenuePaths, targets: Sequence[Target], notice: Notice) -> None:
        is_roots = users.am_root() and any(each.command for each in targets)
        self._refusal = users.why_not_as_root(venue_paths.settings) if is_roots else ""
        self._told = [each for each in targets if not (each.command and self._refusal)]
        self._all = targets
        self._deadline = Deadline(PATIENCE)
        paths = [Path(os.path.realpath(venue_paths.library)), *filter(None, [venue_paths.apprise])]
        self._process = programs.start_apart(
            [venue_paths.python, "-I", "-S", "-c", _PROGRAM, *paths],
            env=programs.service_environment(venue_paths.top),
            uid=None,
            # A command may send mail by a program that is setgid.
            gains=True,
        )
        work = {"targets": list(map(asdict, self._told)), "notice": notice.fields}
        if self._process.stdout:
            os.set_blocking(self._process.stdout.fileno(), False)
        # Shorter than what a pipe holds, so this does not wait.
        with suppress(BrokenPipeError):
            if self._process.stdin:
                with self._process.stdin as stdin:
                    stdin.write(json.dumps(work).encode())

    @property
    def is_over(self) -> bool:
        """Whether it has ended, or has to."""
        return self._process.poll() is not None or self._deadline.expired

    def wait(self) -> None:
        """Return when it is over."""
        with suppress(programs.TookTooLong):
            self._process.wait(self._deadline.remaining)

    def end(self) -> list[Delivery]:
        """What came of each target; ends what still runs."""
        is_late = self._process.poll() is None
        if is_late:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
        with self._process as process:
            output = process.stdout.read(_ENOUGH) if process.stdout else b""
        errors, words = _read((output or b"").decode(errors="replace"))
        missing = f"took longer than {PATIENCE:.0f} s" if is_late else words or "its process ended"
        told = {
            target: errors[number] if number < len(errors) else missing
            for number, target in enumerate(self._told)
        }
        return [Delivery(target, told.get(target, self._refusal)) for target in self._all]


def _read(output: str) -> tuple[list[str], str]:
    """The error of each target that was told, in order, and the last of other words."""
    errors: list[str] = []
    words = ""
    for line in output.splitlines():
        try:
            errors.append(str(json.loads(line)["error"]))
        except (ValueError, KeyError, TypeError):
            words = line.strip() or words
    return errors, words
