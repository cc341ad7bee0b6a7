"""What there is to judge a failure by: the logs, the vassal file and the kernel, each read once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ..layout.paths import ActPaths
from ..logs import log_files
from ..system import kernel_log, processes, sockets
from ..uwsgi import includes, log_reasons
from ..uwsgi.includes import INCLUDES, Script

# As many lines as are read of a log at the most, and more.
_ALL = 100_000


@dataclass(frozen=True)
class LogMark:
    """How long the Act's log and the Emperor's were, in bytes, when something began."""

    own: int
    emperors: int


BEGINNING = LogMark(0, 0)


def log_mark(act_paths: ActPaths) -> LogMark:
    """A mark, so that only what is logged from now on counts as evidence."""
    return LogMark(log_files.size(act_paths.log), log_files.size(act_paths.venue.emperor_log))


@dataclass(frozen=True)
class PortHolder:
    """Who has a port: `pid` is None where it may not be known, `name` reads as `nginx (pid 812)`.

    `place` is its working directory and `command` its words, each followed by a zero byte.
    """

    pid: int | None
    name: str = "another program"
    place: Path = Path()
    command: str = ""


class Kernel:
    """What only the kernel can tell; asked where it matters, as it takes long."""

    @cached_property
    def killed_for_memory(self) -> set[int]:
        """The pids that it killed when memory ran out."""
        return kernel_log.killed_for_memory()

    def is_alive(self, pid: int) -> bool:
        return processes.alive(pid)

    def holder(self, port: int, host: str) -> PortHolder | None:
        """Who has a port; None for nobody."""
        if not sockets.in_use(port, host):
            return None
        pid = sockets.listener(port)
        if pid is None:
            return PortHolder(None)
        process = Path(f"/proc/{pid}")
        try:
            place = (process / "cwd").readlink()
            command = (process / "cmdline").read_text(errors="replace")
        except OSError:
            return PortHolder(pid, processes.describe(pid))
        return PortHolder(pid, processes.describe(pid), place, command)


@dataclass(frozen=True)
class Evidence:
    """All by which a failure of an Act is judged.

    `own` is its own log and `emperors` the Emperor's, both since a mark, as the end of a log is
    what tells. `script` is what uWSGI reads for its vassal file.
    """

    act_paths: ActPaths
    own: str
    emperors: str
    script: Script
    kernel: Kernel

    @property
    def vassal(self) -> str:
        """The vassal as the Emperor calls it."""
        return self.act_paths.vassal.name

    @cached_property
    def started(self) -> str:
        """What the Emperor's log says of the Act's last start."""
        return _start_in(self.emperors, self.vassal, self.script)

    @property
    def said(self) -> str:
        """The Act's own log, behind the Emperor's where that tells more.

        What goes wrong before a vassal opens its own log is told in the Emperor's.
        """
        if log_reasons.reason_from(self.own):
            return self.own
        return f"{self.started or self.emperors}\n{self.own}".strip()

    @cached_property
    def spawned(self) -> set[int]:
        """The pids of all processes of the Act that its logs tell of, also before the mark."""
        own, emperors = _logs(self.act_paths, BEGINNING)
        return log_reasons.spawned_in(f"{own}\n{_start_in(emperors, self.vassal, self.script)}")


def gather(act_paths: ActPaths, since: LogMark = BEGINNING) -> Evidence:
    """Read all that tells of an Act; of the logs, what was written since a mark."""
    own, emperors = _logs(act_paths, since)
    return Evidence(act_paths, own, emperors, _script(act_paths), Kernel())


def _logs(act_paths: ActPaths, since: LogMark) -> tuple[str, str]:
    return (
        log_files.tail(act_paths.log, _ALL, since=since.own),
        log_files.tail(act_paths.venue.emperor_log, _ALL, since=since.emperors),
    )


def _start_in(emperors: str, vassal: str, script: Script) -> str:
    included = {value for _, value in script.values(*INCLUDES)}
    return log_reasons.told_by_emperor(emperors, vassal, included)


def _script(act_paths: ActPaths) -> Script:
    """What uWSGI reads for the Act; by the kept vassal file where there is no other."""
    file = act_paths.vassal if act_paths.vassal.exists() else act_paths.kept
    try:
        text = file.read_bytes().decode(errors="replace")
    except OSError:
        return Script()
    return includes.read_all(act_paths.venue, file, text)
