"""The evidence for a failure: the logs, the vassal file and the kernel, each read once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ..facts.faults import Fault
from ..layout.paths import ActPaths, VenuePaths
from ..logs import log_files
from ..system import kernel_log, processes, sockets
from ..system.files import contents
from ..uwsgi import includes, log_reasons, owners
from ..uwsgi.emperor import uwsgi_of
from ..uwsgi.includes import INCLUDES, Script
from ..uwsgi.owners import Owner
from . import premises

# More lines than are ever read from a log.
_ALL = 100_000
# No line that explains a failure is longer, in characters.
_LONGEST = 2_000


@dataclass(frozen=True)
class LogMark:
    """The sizes of the Act's log and the Emperor's, in bytes, when something began."""

    own: int
    emperors: int


BEGINNING = LogMark(0, 0)


def log_mark(act_paths: ActPaths) -> LogMark:
    """A mark at the end of the logs: only later lines count as evidence."""
    return LogMark(log_files.size(act_paths.log), log_files.size(act_paths.venue.emperor_log))


@dataclass(frozen=True)
class PortHolder:
    """The process that holds a port; `pid` is None if hidden, `name` reads as `nginx (pid 812)`.

    `place` is its working directory and `command` its arguments, each followed by a zero byte.
    `owner` is the Act that it belongs to, if any.
    """

    pid: int | None
    name: str = "another program"
    owner: Owner | None = None
    place: Path = Path()
    command: str = ""


class Kernel:
    """Facts that only the kernel knows; asked only if needed, as it takes long."""

    def __init__(self, venue_paths: VenuePaths) -> None:
        self._venue_paths = venue_paths

    @cached_property
    def killed_for_memory(self) -> set[int]:
        """The pids that it killed for lack of memory."""
        return kernel_log.killed_for_memory()

    def is_alive(self, pid: int) -> bool:
        return processes.alive(pid)

    def holder(self, port: int, host: str) -> PortHolder | None:
        """The process that holds a port, if any."""
        if not sockets.in_use(port, host):
            return None
        pid = sockets.listener(port)
        if pid is None:
            return PortHolder(None)
        process, name = Path(f"/proc/{pid}"), processes.describe(pid)
        owner = owners.owner(pid, self._venue_paths)
        try:
            place = (process / "cwd").readlink()
            command = (process / "cmdline").read_text(errors="replace")
        except OSError:
            return PortHolder(pid, name, owner)
        return PortHolder(pid, name, owner, place, command)


@dataclass(frozen=True)
class Evidence:
    """Everything that is used to explain a failure of an Act.

    `own` is the Act's log and `emperors` the Emperor's log, both since a mark. `script` is the
    configuration that uWSGI reads for the vassal file, with includes.
    """

    act_paths: ActPaths
    own: str
    emperors: str
    script: Script
    kernel: Kernel

    @property
    def vassal(self) -> str:
        """The Emperor's name for the vassal."""
        return self.act_paths.vassal.name

    @cached_property
    def started(self) -> str:
        """The part of the Emperor's log about the Act's last start."""
        return _start_in(self.emperors, self.vassal, self.script)

    @cached_property
    def missing(self) -> Fault | None:
        """Something that its configuration names and that does not exist now."""
        return premises.missing(self.act_paths, self.script)

    @property
    def logs_itself(self) -> bool:
        """Whether the Act has a log of its own; a file written by hand need not give it one."""
        return log_files.size(self.act_paths.log) > 0

    @property
    def unread(self) -> str:
        """Why its last start ended before uWSGI read its file; '' if uWSGI read it."""
        program = str(uwsgi_of(self.act_paths.venue))
        in_emperors = log_reasons.unread_by(program, self.emperors, self.vassal)
        return in_emperors or log_reasons.unread_in(program, self.own)

    @property
    def said(self) -> str:
        """The Act's own log, preceded by the Emperor's if the Act's own does not give a reason.

        In Venues of version 0.1.0, errors before a vassal opens its own log are in the Emperor's.
        """
        if log_reasons.reason_from(self.own) or log_reasons.launched_in(self.own):
            return self.own
        return f"{self.started or self.emperors}\n{self.own}".strip()

    @cached_property
    def spawned(self) -> set[int]:
        """The pids of all the Act's processes in its logs, also from before the mark."""
        own, emperors = _logs(self.act_paths, BEGINNING)
        return log_reasons.spawned_in(f"{own}\n{_start_in(emperors, self.vassal, self.script)}")


def gather(act_paths: ActPaths, since: LogMark = BEGINNING) -> Evidence:
    """Read the evidence about an Act; from the logs, only lines written since a mark."""
    own, emperors = _logs(act_paths, since)
    return Evidence(act_paths, own, emperors, _script(act_paths), Kernel(act_paths.venue))


def _logs(act_paths: ActPaths, since: LogMark) -> tuple[str, str]:
    own = log_files.tail(act_paths.log, _ALL, since=since.own)
    emperors = log_files.tail(act_paths.venue.emperor_log, _ALL, since=since.emperors)
    return _cut(own), _cut(emperors)


def _cut(log: str) -> str:
    """The log with its lines cut short: an Act may log lines that take minutes to search."""
    if len(log) <= _LONGEST:
        return log
    return "\n".join(line[:_LONGEST] for line in log.splitlines())


def _start_in(emperors: str, vassal: str, script: Script) -> str:
    included = {value for _, value in script.values(*INCLUDES)}
    return log_reasons.told_by_emperor(emperors, vassal, included)


def _script(act_paths: ActPaths) -> Script:
    """What uWSGI reads for the Act, or would read: from the kept vassal file if it is stopped."""
    file = act_paths.vassal if act_paths.vassal.exists() else act_paths.kept
    try:
        text = contents(file).decode(errors="replace")
    except OSError:
        return Script()
    return includes.read_all(act_paths.venue, file, text)
