"""The temporary directory of a run, and the cleanup of all its processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from backstage.layout.paths import VenuePaths
from backstage.system.sockets import in_use
from backstage.uwsgi.emperor import Emperor

CHECKOUT = Path(__file__).parent.parent
# Below the kernel's range for outgoing connections, above the range of Acts.
_PORTS = range(9101, 9999)
_PATIENCE = 15.0

Process = subprocess.Popen[str]


@dataclass
class Stage:
    """A directory for Venues and projects, and the processes started for them."""

    top: Path
    _processes: list[Process] = field(default_factory=list)
    _ports: Iterator[int] = field(default_factory=lambda: iter(_PORTS))

    @property
    def environment(self) -> dict[str, str]:
        """The caller's variables, without Python's, with a separate register of Venues."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        kept.pop("VIRTUAL_ENV", None)
        return {**kept, "XDG_STATE_HOME": str(self.top / "state")}

    def free_port(self) -> int:
        """A port that is not in use and was not given out before."""
        return next(port for port in self._ports if not in_use(port))

    def settle(self) -> None:
        """Sync the disk, so that earlier writes do not slow the next measurement down."""
        os.sync()

    def start(self, command: Sequence[str | Path]) -> Process:
        """Start a program from the checkout's root; its errors go to `errors.log`."""
        with (self.top / "errors.log").open("a") as errors:
            process = subprocess.Popen(
                [str(word) for word in command],
                cwd=CHECKOUT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                process_group=0,
            )
        self._processes.append(process)
        return process

    def python(self, *arguments: str | Path) -> Process:
        """Start a fresh Python."""
        return self.start([sys.executable, *arguments])

    def kill(self, process: Process) -> None:
        """End a process that this stage started, and its descendants."""
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        self._processes.remove(process)

    def finish(self, process: Process) -> str:
        """Wait for a process to end; return its output. Raises RuntimeError."""
        printed, _ = process.communicate()
        self._processes.remove(process)
        if process.returncode:
            raise RuntimeError(f"{process.args!r} failed: {self._last_errors()}")
        return printed

    def empty(self) -> None:
        """End all processes started here, and the Emperors of all Venues."""
        for process in list(self._processes):
            self.kill(process)
        for settings in self.top.glob("*/venue.yaml"):
            stop_venue(settings.parent)

    def _last_errors(self) -> str:
        return (self.top / "errors.log").read_text(errors="replace")[-2000:]


def stop_venue(top: Path) -> None:
    """End the Emperor of a Venue, complete or not, and all its Acts."""
    Emperor(VenuePaths(top)).stop(_PATIENCE)


@contextmanager
def stage() -> Iterator[Stage]:
    """A stage that is emptied and removed at the end, whatever happens.

    Only then, because creating files is slow for a while after thousands were deleted.
    """
    with tempfile.TemporaryDirectory(prefix="backstage-benchmarks-") as directory:
        built = Stage(Path(directory).resolve())
        try:
            yield built
        finally:
            built.empty()
