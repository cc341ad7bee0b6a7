"""A throw-away machine: a real systemd as PID 1 over this host's files, which it does not change.

Its `/` is an overlay of the host's, its network is only a loopback, and its `/tmp` and `/run` are
empty: pytest's files in `/tmp` are not visible inside, unless this checkout is in `/tmp` too. It
needs root, Debian's systemd-container and libpam-systemd, dbus-user-session for
`systemd-run --user`, and nginx for nginx.service.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from itertools import count
from pathlib import Path

import pytest

import backstage
from tests.patience import PATIENCE

MACHINES = Path("/run/backstage-machines")
CGROUPS = Path("/sys/fs/cgroup")
NSPAWN = Path("/run/systemd/nspawn")
_TMP = Path("/tmp")
POWEROFF = signal.SIGRTMIN + 4  # makes systemd, as PID 1, power off
_PREFIX = Path(sys.prefix)
_CHECKOUT = Path(backstage.__file__).resolve().parents[1]
_PYTHON = Path(sys.base_prefix).resolve()
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_CLEAN = [
    f"PATH={_PATH}",
    "LANG=C.UTF-8",
    "TERM=dumb",
    "SYSTEMD_PAGER=cat",
    "SYSTEMD_COLORS=0",
]
# Joins the cgroups named before the `--`, then becomes the program named after it.
_JOIN = 'while [ "$1" != -- ]; do echo $$ >"$1" || exit; shift; done; shift; exec "$@"'
_OPTIONS = (
    "--register=no",
    "--keep-unit",
    "--private-network",
    "--resolv-conf=off",
    "--timezone=off",
    "--link-journal=no",
    "--console=pipe",
    "--notify-ready=yes",
)
_TOOLS = ("systemd-nspawn", "loginctl", "dbus-daemon", "nsenter", "setpriv")
# Without this module, no user has a service manager.
_SESSIONS = ("lib*/security/pam_systemd.so", "lib/*/security/pam_systemd.so")
# Useless in a container, and not enabled by symbolic links that could be removed.
_MASKED = ("getty.target", "e2scrub_reap.service", "systemd-networkd.service")
_REHEARSAL = (
    "mount -t tmpfs tmpfs /mnt && mkdir /mnt/u /mnt/w /mnt/r"
    " && mount -t overlay -o lowerdir=/,upperdir=/mnt/u,workdir=/mnt/w overlay /mnt/r"
)


class Unbootable(Exception):
    """Raised when the machine does not boot; the message has the last lines of its console."""


def missing() -> str:
    """Why a machine cannot run here, in one line; '' if it can."""
    if os.geteuid() != 0:
        return "booting a machine needs root"
    sessions = [path for pattern in _SESSIONS for path in Path("/usr").glob(pattern)]
    if not sessions or not all(map(shutil.which, _TOOLS)):
        return "booting a machine needs the Debian packages systemd-container and libpam-systemd"
    if hidden := [path for path in needed() if path.is_relative_to("/run")]:
        return f"{hidden[0]} is not visible in a machine, which has its own /run"
    if not (trees := _hierarchies()) or not all(os.access(tree, os.W_OK) for tree in trees):
        return f"booting a machine needs cgroups, and {CGROUPS} is not writable"
    rehearsal = ["unshare", "--mount", "sh", "-c", _REHEARSAL]
    if subprocess.run(rehearsal, capture_output=True).returncode:
        return "booting a machine needs an overlay of /, which cannot be mounted here"
    return ""


@contextmanager
def skipping_unbootable() -> Iterator[None]:
    """Skip the tests of a machine that does not boot; on CI, where it must boot, they fail."""
    try:
        yield
    except Unbootable as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))


@contextmanager
def booted(name: str) -> Iterator[Machine]:
    """A running machine, which is removed completely afterwards.

    Leftovers of a killed run under that name are removed first. While another run uses the name,
    the machine gets the next free one.
    """
    with free_name(name) as free, ExitStack() as ending:
        machine = Machine(free)
        machine.stop()
        ending.callback(machine.stop)
        machine.boot()
        yield machine


class Machine:
    """One machine; `root` is its `/` as the host sees it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.root = MACHINES / name / "disk" / "root"
        self._top = MACHINES / name
        self._cgroups = [tree / f"backstage-{name}" for tree in _hierarchies()]
        self._started: list[subprocess.Popen[str]] = []
        self._nspawn: subprocess.Popen[bytes] | None = None
        self._leader = 0
        self._joined: list[Path] = []

    def run(
        self,
        *words: str | Path,
        user: str | None = None,
        cwd: str | Path | None = None,
        check: bool = True,
        timeout: float = 120,
        stdin: str = "",
    ) -> subprocess.CompletedProcess[str]:
        """Run a program inside, by default in the home of its user."""
        result = subprocess.run(
            self._inside(words, user, cwd),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout,
        )
        told = f"{' '.join(map(str, words))}: exit code {result.returncode}"
        assert not check or result.returncode == 0, f"{told}\n{result.stdout}\n{result.stderr}"
        return result

    def start(
        self, *words: str | Path, user: str | None = None, cwd: str | Path | None = None
    ) -> subprocess.Popen[str]:
        """Start a program inside; it ends with the machine, or when it is killed."""
        process = subprocess.Popen(
            self._inside(words, user, cwd),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._started.append(process)
        return process

    def linger(self, user: str) -> None:
        """Start that user's own service manager, now and at every boot."""
        self.run("loginctl", "enable-linger", user)
        # Enabling lingering returns before the manager can be reached.
        uid = self.run("id", "--user", user).stdout.strip()
        self.run("systemctl", "start", f"user@{uid}.service")

    def boot(self) -> None:
        """Switch it on and wait until systemd has started all its own units."""
        if not self.root.exists():
            lay(self.root.parent)
            furnish(self.root)
        for cgroup in self._cgroups:
            _make_cgroup(cgroup)
        (self._top / "notify").unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bell:
            bell.bind(str(self._top / "notify"))
            self._nspawn = self._switch_on()
            self._await_ready(bell)
        self._joined = [_place(cgroup, self._leader) for cgroup in self._cgroups]
        if not _is_unified():
            self._free_controllers()

    def reboot(self) -> None:
        """Shut it down and boot it again: only the contents of its disk remain."""
        assert self._nspawn
        # systemd would wait a minute for programs that it did not start itself.
        self._end_started()
        with suppress(ProcessLookupError):
            os.kill(self._leader, POWEROFF)
        with suppress(subprocess.TimeoutExpired):
            self._nspawn.wait(timeout=PATIENCE)
        self._end_processes()
        self.boot()

    def stop(self) -> None:
        """Remove it completely and immediately, in whatever state it is."""
        self._end_processes()
        self._tidy_up()
        unmount(self._top)
        if self._top.exists():
            shutil.rmtree(self._top)
        with suppress(OSError):
            MACHINES.rmdir()

    def _tidy_up(self) -> None:
        """Remove the leftovers of a killed nspawn."""
        if self.root.exists():
            seen = self.root.stat()
            (NSPAWN / "locks" / f"inode-{seen.st_dev}:{seen.st_ino}").unlink(missing_ok=True)
        for place in NSPAWN.glob(f"*/{self.name}"):
            unmount(place)
            place.rmdir()

    def _inside(
        self, words: tuple[str | Path, ...], user: str | None, cwd: str | Path | None
    ) -> list[str | Path]:
        become, home, variables = self._become(user)
        join: list[str | Path] = ["sh", "-c", _JOIN, "sh", *self._joined, "--"]
        enter = ["nsenter", "--target", str(self._leader), "--all"]
        clean = ["env", "--ignore-environment", "--chdir", cwd or home, *_CLEAN, *variables]
        # Killing nsenter does not kill the program that it started.
        tied = ["setpriv", "--pdeathsig", "KILL", *become, "--"]
        return [*join, *enter, *clean, *tied, *words]

    def _become(self, user: str | None) -> tuple[list[str], str, list[str]]:
        """The options of setpriv to become a user, its home, and the variables that name both."""
        name = user or "root"
        lines = (self.root / "etc" / "passwd").read_text().splitlines()
        found = [line.split(":") for line in lines if line.startswith(f"{name}:")]
        assert found, f"the machine has no user {name}"
        _, _, uid, gid, _, home, _ = found[0]
        home = home if (self.root / home.lstrip("/")).is_dir() else "/"
        variables = [f"HOME={home}", f"USER={name}", f"LOGNAME={name}"]
        if user is None:
            return [], home, variables
        variables.append(f"XDG_RUNTIME_DIR=/run/user/{uid}")
        return [f"--reuid={uid}", f"--regid={gid}", "--init-groups"], home, variables

    def _switch_on(self) -> subprocess.Popen[bytes]:
        # If this run is killed, so is its machine.
        tied = ["setpriv", "--pdeathsig", "KILL"]
        procs = [cgroup / "cgroup.procs" for cgroup in self._cgroups]
        join: list[str | Path] = ["sh", "-c", _JOIN, "sh", *procs, "--"]
        boot = ["systemd-nspawn", "--quiet", "--boot", *_OPTIONS]
        mine = [f"--directory={self.root}", f"--machine={self.name}"]
        told = {"NOTIFY_SOCKET": str(self._top / "notify"), "SYSTEMD_NSPAWN_USE_CGNS": "1"}
        if needs_tmp():
            told["SYSTEMD_NSPAWN_TMPFS_TMP"] = "0"
        with (self._top / "console").open("wb") as console:
            return subprocess.Popen(
                [*tied, *join, *boot, *mine],
                env={"PATH": _PATH, **told},
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                start_new_session=True,
            )

    def _await_ready(self, bell: socket.socket) -> None:
        """Wait for nspawn to report that all is up, and the host's pid of the PID 1 inside."""
        assert self._nspawn
        bell.settimeout(0.2)
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and self._nspawn.poll() is None:
            with suppress(TimeoutError):
                lines = bell.recv(4096).decode().splitlines()
                told = dict(line.split("=", 1) for line in lines if "=" in line)
                self._leader = int(told.get("X_NSPAWN_LEADER_PID", self._leader))
                if told.get("READY") == "1":
                    return
        said = (self._top / "console").read_text(errors="replace").split("\n")
        # The very last one is often nspawn's own, about what it could not tidy up.
        last = [line.strip() for line in said if line.strip()][-4:]
        raise Unbootable(f"systemd does not boot in systemd-nspawn here: {' | '.join(last)}")

    def _free_controllers(self) -> None:
        """Let systemd set limits: nspawn mounts the controllers of cgroups v1 read-only."""
        namespace = ["nsenter", "--target", str(self._leader), "--mount"]
        for tree in _hierarchies():
            remount = ["mount", "-o", "remount,bind,rw,nosuid,nodev,noexec", str(tree)]
            subprocess.run([*namespace, *remount], capture_output=True)
        self.run("systemctl", "daemon-reexec")

    def _end_processes(self) -> None:
        # When its PID 1 dies, nspawn cleans up by itself.
        if self._nspawn and self._nspawn.poll() is None:
            if self._leader:
                with suppress(ProcessLookupError):
                    os.kill(self._leader, signal.SIGKILL)
            with suppress(subprocess.TimeoutExpired):
                self._nspawn.wait(timeout=PATIENCE if self._leader else 0)
        _until(self._is_cleared, f"processes of {self.name} stay")
        self._end_started()
        if self._nspawn:
            self._nspawn.wait()
        self._nspawn, self._leader = None, 0

    def _end_started(self) -> None:
        for process in self._started:
            with process:
                process.kill()
        self._started = []

    def _is_cleared(self) -> bool:
        """Kill the processes left in its cgroups and remove these; True once they are gone."""
        for cgroup in self._cgroups:
            # They may vanish meanwhile, because nspawn cleans up too.
            with suppress(OSError):
                _clear(cgroup)
        return not any(cgroup.exists() for cgroup in self._cgroups)


@contextmanager
def free_name(name: str) -> Iterator[str]:
    """A name that no other run uses; the kernel frees its socket when the holder dies."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as holder:
        for number in count(1):
            free = name if number == 1 else f"{name}-{number}"
            with suppress(OSError):
                holder.bind(f"\0backstage-machine-{free}")
                break
        yield free


def needed() -> list[Path]:
    """The directories that `backstage` needs to run."""
    return [_PREFIX, _CHECKOUT, _PYTHON]


def needs_tmp() -> bool:
    """Whether one of them is in `/tmp`, which then is an overlay of the host's, too."""
    return any(path.is_relative_to(_TMP) for path in needed())


def lay(disk: Path) -> None:
    """Mount the overlay of `/`, and one for each needed file system below it."""
    disk.mkdir(parents=True)
    _mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", disk)
    (disk / "root").mkdir()
    wanted = [Path("/usr"), Path("/etc"), Path("/var"), *needed()]
    for number, mount in enumerate(sorted({Path("/"), *map(_mount_point, wanted)})):
        upper, work = disk / f"upper{number}", disk / f"work{number}"
        upper.mkdir()
        work.mkdir()
        layers = f"lowerdir={mount},upperdir={upper},workdir={work}"
        _mount("-t", "overlay", "-o", layers, "overlay", _below(disk / "root", mount))


def furnish(root: Path) -> None:
    """Turn a copy of this machine into a separate one."""
    units = root / "etc" / "systemd" / "system"
    # The units of packages are installed, but not enabled.
    for wants in [*units.glob("*.wants"), *(root / "etc").glob("rc[2-5S].d")]:
        shutil.rmtree(wants)
    for unit in _MASKED:
        link(units / unit, "/dev/null")
    if needs_tmp():
        # One would be mounted over /tmp, the other would empty it at each boot.
        link(units / "tmp.mount", "/dev/null")
        link(root / "etc" / "tmpfiles.d" / "tmp.conf", "/dev/null")
    link(units / "default.target", "/lib/systemd/system/multi-user.target")
    (root / "etc" / "machine-id").unlink(missing_ok=True)
    (root / "etc" / "machine-id").write_text(f"{uuid.uuid4().hex}\n")
    shutil.rmtree(root / "var" / "log" / "journal", ignore_errors=True)
    (root / "var" / "log" / "journal").mkdir(parents=True)
    # The register of this host's Venues.
    shutil.rmtree(root / "root" / ".local" / "state", ignore_errors=True)
    for path in needed():
        _open_to_all(root, path)
    link(root / "usr" / "local" / "bin" / "backstage", str(_PREFIX / "bin" / "backstage"))


def _open_to_all(root: Path, path: Path) -> None:
    """Let every user read this path; the directories above it can be entered, not listed."""
    for parent in path.parents:
        there = _below(root, parent)
        there.chmod(there.stat().st_mode | 0o001)
    if path == Path("/usr"):
        return
    # Searched outside the overlay, which is several times faster.
    closed = ("(", "-type", "d", "!", "-perm", "-5", "-o", "-type", "f", "!", "-perm", "-4", ")")
    found = subprocess.run(["find", path, *closed, "-print0"], capture_output=True, check=True)
    for name in filter(None, found.stdout.decode().split("\0")):
        there = _below(root, Path(name))
        there.chmod(there.stat().st_mode | (0o005 if there.is_dir() else 0o004))


def _below(root: Path, path: Path) -> Path:
    return root / path.relative_to("/")


def link(path: Path, target: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.symlink_to(target)


def _mount(*words: str | Path) -> None:
    done = subprocess.run(["mount", *words], capture_output=True, text=True)
    if done.returncode:
        raise Unbootable(done.stderr.strip())


def _mount_point(path: Path) -> Path:
    return next(place for place in (path, *path.parents) if place.is_mount())


def unmount(top: Path) -> None:
    """Unmount everything mounted at or below `top`, even if it is in use."""
    lines = Path("/proc/self/mounts").read_text().splitlines()
    for place in reversed([Path(line.split()[1]) for line in lines]):
        if place.is_relative_to(top):
            subprocess.run(["umount", "--lazy", place], check=True)


def _is_unified() -> bool:
    return (CGROUPS / "cgroup.controllers").exists()


def _hierarchies() -> list[Path]:
    """The one tree of cgroups v2, or all of v1."""
    if _is_unified():
        return [CGROUPS]
    return [file.parent for file in CGROUPS.glob("*/cgroup.procs") if not file.parent.is_symlink()]


def _make_cgroup(cgroup: Path) -> None:
    cgroup.mkdir(exist_ok=True)
    tree = cgroup.parent
    if (tree / "cpuset.mems").exists() and not _is_unified():
        # A cpuset accepts no process before its CPUs and memory nodes are set.
        for file in ("cpuset.cpus", "cpuset.mems"):
            (cgroup / file).write_text((tree / file).read_text())
        (cgroup / "cgroup.clone_children").write_text("1")
    if _is_unified():
        for controller in ("cpu", "memory", "pids"):
            # Inside another container this is not allowed; then limits have no effect.
            with suppress(OSError):
                (tree / "cgroup.subtree_control").write_text(f"+{controller}")


def _place(cgroup: Path, pid: int) -> Path:
    """The `cgroup.procs` file that puts a process beside this one, where systemd tracks it."""
    files = list(cgroup.rglob("cgroup.procs"))
    if cgroup.parent.name in {"systemd", "unified", CGROUPS.name}:
        return next(file for file in files if str(pid) in file.read_text().split())
    return cgroup / "cgroup.procs"


def _clear(cgroup: Path) -> None:
    inner = sorted((file.parent for file in cgroup.rglob("cgroup.procs")), reverse=True)
    for pid in [pid for place in inner for pid in (place / "cgroup.procs").read_text().split()]:
        with suppress(ProcessLookupError):
            os.kill(int(pid), signal.SIGKILL)
    for place in inner:
        place.rmdir()


def _until(done: Callable[[], bool], otherwise: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not done():
        assert time.monotonic() < deadline, otherwise
        time.sleep(0.01)
