"""Examining the system's limits for the Emperor and its Acts."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ..layout.paths import ActPaths
from ..status.survey import Survey
from ..uwsgi import includes, vassal_files
from .finding import Finding, Remedy, note, ok, trouble, warning

# For the Emperor itself, and for each vassal: pipes, sockets, logs, files of the application.
_FILES_OF_ITS_OWN, _FILES_FOR_EACH = 64, 8
# Includes other files of the application, and the connections of a router.
_COMFORTABLE_FILES = 1024
# uWSGI closes that many files, one by one, whenever it starts an Act.
_TOO_MANY_FILES = 2_000_000
_NEARLY_USED = 0.9
_USED_UP = 0.98
_CONTROLLERS = ("", "pids")
_RESTART = "backstage venue stop && backstage venue start"
_FEWER_TASKS = Remedy(
    "in a systemd unit, raise TasksMax; to see who has most of them,",
    "ps -eLo user,comm | sort | uniq -c | sort -n",
)


@dataclass(frozen=True)
class Use:
    """How much of something is in use, and its limit."""

    used: int
    most: int

    @property
    def share(self) -> float:
        return self.used / self.most if self.most else 1.0


@dataclass(frozen=True)
class Kernel:
    """Facts from the kernel's file systems."""

    proc: Path = Path("/proc")
    cgroups: Path = Path("/sys/fs/cgroup")

    def setting(self, name: str) -> int:
        """A numeric sysctl, such as `net/core/somaxconn`."""
        return int((self.proc / "sys" / name).read_text())

    def open_files(self, pid: int) -> int:
        """How many files a process may open."""
        return self._limits(pid)["open files"]

    def tasks(self, pid: int) -> Use:
        """Processes and threads, for the limit that is closest to being reached."""
        uses = [self._tasks_of_system(), *self._tasks_of_groups(pid)]
        # The limit does not apply to root.
        if uid := self._owner(pid):
            uses.append(Use(self._tasks_of_user(uid), self._limits(pid)["processes"]))
        return max(uses, key=lambda use: use.share)

    def inotify(self, uid: int) -> tuple[Use, Use]:
        """A user's inotify instances, and the watches of all of them."""
        instances = watches = 0
        for process in self._processes(uid):
            # Some end meanwhile, and some may not be read.
            with suppress(OSError):
                for link in (process / "fd").iterdir():
                    if "inotify" in str(link.readlink()):
                        instances += 1
                        told = (process / "fdinfo" / link.name).read_text()
                        watches += told.count("inotify wd:")
        most = self.setting("fs/inotify/max_user_instances")
        return Use(instances, most), Use(watches, self.setting("fs/inotify/max_user_watches"))

    def _limits(self, pid: int) -> Mapping[str, int]:
        """The soft limits of a process; `unlimited` becomes a number above every other limit."""
        told = (self.proc / str(pid) / "limits").read_text()
        found = re.findall(r"^Max (.+?) {2,}(\d+|unlimited) ", told, re.MULTILINE)
        return {name: int(soft) if soft.isdigit() else 2**31 for name, soft in found}

    def _processes(self, uid: int) -> Iterator[Path]:
        for process in self.proc.glob("[0-9]*"):
            with suppress(OSError):
                if process.stat().st_uid == uid:
                    yield process

    def _owner(self, pid: int) -> int:
        return (self.proc / str(pid)).stat().st_uid

    def _tasks_of_user(self, uid: int) -> int:
        tasks = 0
        for process in self._processes(uid):
            with suppress(OSError):
                tasks += len(list((process / "task").iterdir()))
        return tasks

    def _tasks_of_system(self) -> Use:
        used = (self.proc / "loadavg").read_text().split()[3].partition("/")[2]
        most = min(self.setting("kernel/threads-max"), self.setting("kernel/pid_max"))
        return Use(int(used), most)

    def _tasks_of_groups(self, pid: int) -> Iterator[Use]:
        """The control groups of a process, of version 1 or 2."""
        for line in (self.proc / str(pid) / "cgroup").read_text().splitlines():
            _, controller, path = line.split(":", 2)
            if controller in _CONTROLLERS:
                group = self.cgroups / controller / path.lstrip("/")
                for each in (group, *group.parents):
                    with suppress(OSError, ValueError):  # no such file, or `max`
                        most = int((each / "pids.max").read_text())
                        yield Use(int((each / "pids.current").read_text()), most)


def examine(survey: Survey, acts: Iterable[ActPaths]) -> Iterator[Finding]:
    """Whether the limits suffice for the Venue, and for the listen queues of these Acts."""
    queues = {act.name: length for act in acts if (length := _queue(act))}
    return room(Kernel(), survey.emperor.pid, len(survey.names()), queues)


def room(
    kernel: Kernel, emperor: int | None, acts: int, queues: Mapping[str, int]
) -> Iterator[Finding]:
    """Whether the limits suffice for the Emperor of this pid, or for one that we would start.

    `acts` is the number of Acts, `queues` the length of the listen queue that each of them sets.
    """
    pid = emperor or os.getpid()
    yield _open_files(kernel.open_files(pid), _FILES_OF_ITS_OWN + _FILES_FOR_EACH * acts)
    yield _listen_queue(kernel.setting("net/core/somaxconn"), queues)
    yield _gauge("processes and threads", kernel.tasks(pid), _FEWER_TASKS, trouble)
    instances, watches = kernel.inotify(os.geteuid())
    for name, use in (("instances", instances), ("watches", watches)):
        remedy = _sysctl(f"fs.inotify.max_user_{name}", use.most * 4)
        yield _gauge(f"inotify {name}", use, remedy, warning)


def _queue(act_paths: ActPaths) -> int:
    """The listen queue that the Act's vassal file sets, 0 if unknown."""
    file = vassal_files.load(act_paths)
    script = includes.read_all(act_paths.venue, act_paths.vassal, file.text if file else "")
    line = script.last("listen")
    return int(line.value) if line and line.value.isdecimal() else 0


def _open_files(most: int, needed: int) -> Finding:
    told = f"{most} for each process"
    if most > _TOO_MANY_FILES:
        remedy = Remedy("add `max-fd = 65536` to emperor.ini, then", _RESTART)
        why = "uWSGI closes that many, one by one, before it starts an Act"
        return warning("open files", f"{told}; {why}", remedy)
    raise_it = Remedy(
        "in a systemd unit, set LimitNOFILE=65536; otherwise", f"ulimit -n 65536 && {_RESTART}"
    )
    if most < needed:
        return trouble("open files", f"{told}, but about {needed} are needed", raise_it)
    if most < _COMFORTABLE_FILES:
        return note("open files", f"{told} is low", raise_it)
    return ok("open files", told)


def _listen_queue(most: int, queues: Mapping[str, int]) -> Finding:
    too_long = sorted(name for name, length in queues.items() if length > most)
    if not too_long:
        return ok("listen queue", f"up to {most} connections can wait")
    longest = max(queues.values())
    what = f"{', '.join(too_long)} cannot start: `listen` is up to {longest}, but the system allows"
    return trouble("listen queue", f"{what} {most}", _sysctl("net.core.somaxconn", longest))


def _gauge(
    subject: str, use: Use, remedy: Remedy, full: Callable[[str, str, Remedy], Finding]
) -> Finding:
    told = f"{use.used} of {use.most} in use"
    if use.share >= _USED_UP:
        return full(subject, told, remedy)
    return warning(subject, told, remedy) if use.share >= _NEARLY_USED else ok(subject, told)


def _sysctl(name: str, value: int) -> Remedy:
    keep = (
        f"echo {name}={value} | sudo tee /etc/sysctl.d/60-backstage-{name.rpartition('.')[2]}.conf"
    )
    return Remedy(command=f"{keep} && sudo sysctl --system")
