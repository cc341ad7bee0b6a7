"""What the kernel tells of its limits, from a /proc of the test's own, and what that means."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from backstage.doctor import limits
from backstage.doctor.finding import Finding, Severity
from backstage.doctor.limits import Kernel, Use

PID = 42
LIMITS = """\
Limit                     Soft Limit           Hard Limit           Units
Max cpu time              unlimited            unlimited            seconds
Max processes             {processes}                96365                processes
Max open files            {files}                20000                files
"""


class Machine:
    """The files of a kernel; what is written to them, it tells."""

    def __init__(self, top: Path) -> None:
        self.proc, self.cgroups = top / "proc", top / "cgroup"
        self.write("loadavg", "0.50 0.40 0.30 1/400 12345\n")
        self.write(f"{PID}/cgroup", "0::/\n")
        self.limit()
        self.set("net/core/somaxconn", 4096)
        self.set("kernel/threads-max", 100_000)
        self.set("kernel/pid_max", 32768)
        self.set("fs/inotify/max_user_instances", 128)
        self.set("fs/inotify/max_user_watches", 1000)

    def write(self, name: str, text: str) -> None:
        path = self.proc / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def set(self, name: str, value: int) -> None:
        self.write(f"sys/{name}", f"{value}\n")

    def limit(self, files: int | str = 20000, processes: int | str = "unlimited") -> None:
        self.write(f"{PID}/limits", LIMITS.format(files=files, processes=processes))

    def group(self, path: str, current: int, most: int | str) -> None:
        group = self.cgroups / path
        group.mkdir(parents=True, exist_ok=True)
        (group / "pids.current").write_text(f"{current}\n")
        (group / "pids.max").write_text(f"{most}\n")

    def watch(self, instances: int, watches: int) -> None:
        """Give the process so many instances of inotify, with so many watches in each."""
        for directory in ("fd", "fdinfo"):
            (self.proc / str(PID) / directory).mkdir()
        (self.proc / str(PID) / "fd" / "0").symlink_to("/dev/null")
        for number in range(1, instances + 1):
            (self.proc / str(PID) / "fd" / str(number)).symlink_to("anon_inode:inotify")
            told = "pos:\t0\n" + "inotify wd:1 ino:2 sdev:3\n" * watches
            self.write(f"{PID}/fdinfo/{number}", told)

    def examine(self, acts: int = 2, queues: Mapping[str, int] | None = None) -> list[Finding]:
        kernel = Kernel(self.proc, self.cgroups)
        return list(limits.room(kernel, PID, acts, queues or {"blog": 1024}))

    def told_of(self, subject: str, **options: object) -> Finding:
        found = self.examine(**options)  # type: ignore[arg-type]
        return next(finding for finding in found if finding.subject == subject)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_limits_that_leave_room(machine: Machine) -> None:
    machine.watch(instances=3, watches=7)
    assert [str(finding) for finding in machine.examine()] == [
        "ok: open files: 20000 for each process",
        "ok: listen queue: up to 4096 connections can wait",
        "ok: processes and threads: 400 of 32768 in use",
        "ok: inotify instances: 3 of 128 in use",
        "ok: inotify watches: 21 of 1000 in use",
    ]


@pytest.mark.parametrize(
    ("files", "acts", "severity", "command"),
    [
        (100, 100, Severity.TROUBLE, "ulimit -n 65536"),
        (1000, 10, Severity.NOTE, "ulimit -n 65536"),
        (1024, 10, Severity.OK, ""),
        (1024, 1000, Severity.TROUBLE, "ulimit -n 65536"),
        (1_073_741_816, 1, Severity.WARNING, "backstage venue stop"),
        ("unlimited", 1, Severity.WARNING, "backstage venue stop"),
    ],
)
def test_open_files(
    machine: Machine, files: int | str, acts: int, severity: Severity, command: str
) -> None:
    """Too few end what needs more; uWSGI closes each that there may be, so too many are as bad."""
    machine.limit(files=files)
    told = machine.told_of("open files", acts=acts)
    assert told.severity is severity
    assert told.command.startswith(command)


def test_a_listen_queue_that_the_system_does_not_allow(machine: Machine) -> None:
    machine.set("net/core/somaxconn", 128)
    told = machine.told_of("listen queue", queues={"blog": 1024, "shop": 100, "api": 512})
    assert told.severity is Severity.TROUBLE
    assert told.what.startswith("api, blog cannot start")
    assert "net.core.somaxconn=1024" in told.command


@pytest.mark.parametrize(
    ("used", "severity"),
    [(89, Severity.OK), (90, Severity.WARNING), (98, Severity.TROUBLE), (100, Severity.TROUBLE)],
)
@pytest.mark.parametrize("line", ["0::/unit", "0::/unit/below/it", "8:pids:/unit", "3:cpu:/unit"])
def test_processes_of_a_control_group(
    machine: Machine, used: int, severity: Severity, line: str
) -> None:
    """In either version of them; a group above counts as well, and only those that count pids."""
    machine.group("pids/unit" if "pids" in line else "unit", used, 100)
    machine.group("pids/unit/below/it" if "pids" in line else "unit/below/it", 1, "max")
    machine.write(f"{PID}/cgroup", f"1:name=systemd:/else\n{line}\n")
    told = machine.told_of("processes and threads")
    if "cpu" in line:
        assert str(told) == "ok: processes and threads: 400 of 32768 in use"
    else:
        assert told.severity is severity
        assert severity is Severity.OK or told.what == f"{used} of 100 in use"


def test_processes_of_a_user(tmp_path: Path) -> None:
    """Root is not held to such a limit, so the test asks as whoever owns its files."""
    machine = Machine(tmp_path)
    machine.limit(processes=4)
    for thread in ("1", "2", "3", "4"):
        (machine.proc / str(PID) / "task" / thread).mkdir(parents=True)
    use = Kernel(machine.proc, machine.cgroups).tasks(PID)
    assert use == (Use(400, 32768) if os.geteuid() == 0 else Use(4, 4))


def test_inotify_is_no_more_than_a_warning(machine: Machine) -> None:
    """Without it, events come by looking at dates."""
    machine.watch(instances=4, watches=500)
    machine.set("fs/inotify/max_user_instances", 4)
    found = {finding.subject: finding for finding in machine.examine()}
    for name in ("instances", "watches"):
        told = found[f"inotify {name}"]
        assert told.severity is Severity.WARNING
        assert f"fs.inotify.max_user_{name}=" in told.command


def test_a_process_that_is_not_ours_to_look_at(machine: Machine) -> None:
    machine.write("43/comm", "")
    (machine.proc / "43" / "fd").symlink_to("/nowhere")
    assert machine.told_of("inotify instances").what == "0 of 128 in use"


def test_the_real_kernel_tells() -> None:
    """All figures are there for this very process."""
    found = list(limits.room(Kernel(), None, 1, {}))
    assert len(found) == 5
