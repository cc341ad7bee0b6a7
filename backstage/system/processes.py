"""Running programs, and the facts the kernel has about processes."""

from __future__ import annotations

import os
import pwd
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from . import users
from .deadlines import Deadline, until

# At run time it is imported where it is used: whoever only looks at Acts does without it.
if TYPE_CHECKING:
    from psutil import Process as Process

Started = subprocess.Popen[str]
TookTooLong = subprocess.TimeoutExpired
Done = subprocess.CompletedProcess[str]

# What a service may know of the shell that happened to start it: the same from a terminal, from
# cron and from a unit. Above all no DJANGO_SETTINGS_MODULE, no UWSGI_*, no PYTHON*.
_KEPT_VARIABLES = {
    *("HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ", "TMPDIR", "XDG_RUNTIME_DIR"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "http_proxy", "https_proxy", "no_proxy"),
    *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"),
}
# Set by emperor.ini for everything below the Emperor.
_MARK = "BACKSTAGE_VENUE"
# What programs in a terminal go by.
_TERMINAL_VARIABLES = ("TERM", "COLORTERM", "NO_COLOR", "VISUAL", "EDITOR", "PAGER")
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# By its path: what runs in a Venue is looked for in the Venue's bin/ first, where its owner may
# have put what he likes, and root begins with this one.
_SETPRIV = next(filter(os.path.exists, ("/usr/bin/setpriv", "/bin/setpriv")), "setpriv")
# A helper that outlived a killed caller would go on writing where the next call builds anew.
_DIES_WITH_US = (_SETPRIV, "--pdeathsig", "KILL")


@dataclass(frozen=True)
class ProcessFacts:
    """What the kernel knows of a process.

    `halted` by a signal; `began` in seconds of `boot_clock`, good to a tick (10 ms); `memory` is
    what it has in memory, shared pages included, in bytes; `cpu` the processor time it has used, in
    seconds.
    """

    alive: bool
    halted: bool
    began: float
    memory: int
    cpu: float


def service_environment(venue: Path) -> dict[str, str]:
    """The environment for everything that runs in the Venue at `venue`."""
    kept = {
        key: value
        for key, value in os.environ.items()
        if key in _KEPT_VARIABLES or key.startswith("LC_")
    }
    path = f"{venue / 'bin'}:{os.environ.get('PATH', _SYSTEM_PATH)}"
    return {**kept, "PATH": path, "VIRTUAL_ENV": str(venue)}


def tool_environment() -> dict[str, str]:
    """The caller's own environment for tools such as pip, less what points them elsewhere."""
    misleading = {"VIRTUAL_ENV", "PYTHONHOME", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE"}
    return {key: value for key, value in os.environ.items() if key not in misleading}


def run(
    command: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    timeout: float | None = None,
    uid: int | None = None,
) -> Done:
    """Run a program to its end with nothing to read; its output is text, both streams in one.

    It does not outlive this process. `uid` is the user that root has it run as. Raises TookTooLong
    after `timeout` seconds.
    """
    with start(command, cwd=cwd, env=env, uid=uid) as process:
        try:
            output, _ = process.communicate(timeout=timeout)
        except BaseException:
            process.kill()
            raise
    return subprocess.CompletedProcess(process.args, process.returncode, output)


def start(
    command: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    uid: int | None = None,
) -> Started:
    """Start a program that does not outlive this one; read its output with `.communicate()`.

    `uid` is the user that root has it run as.
    """
    return subprocess.Popen(
        [*_DIES_WITH_US, *_as_user(uid), *(str(word) for word in command)],
        cwd=cwd,
        env=_at_home(env, uid),
        # Whoever has root's terminal can type into it.
        start_new_session=uid is not None or users.has_become(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )


def attend(
    command: Sequence[str | Path], *, cwd: Path, env: Mapping[str, str], uid: int | None = None
) -> int:
    """Run a program in this terminal to its end; returns its exit code, as a shell would.

    Ctrl-C is the program's: it may go on. `uid` is the user that root has it run as, in a terminal
    of its own: whoever has root's can type into it.
    """
    terminal = {key: os.environ[key] for key in _TERMINAL_VARIABLES if key in os.environ}
    # A handler, unlike ignoring, is not inherited.
    handler = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        words = [*_apart(uid), *(str(word) for word in command)]
        status = subprocess.call(words, cwd=cwd, env=_at_home({**env, **terminal}, uid))
    finally:
        signal.signal(signal.SIGINT, handler)
    return status if status >= 0 else 128 - status


def detach(command: Sequence[str | Path], *, cwd: Path, env: Mapping[str, str], log: Path) -> int:
    """Start a program that outlives this one, alone in a session of its own; returns its pid.

    It is nobody's child, so it leaves no zombie here when it ends. Both streams go to `log`.
    """
    # A background command of sh leads no process group, so setsid needs no fork of its own and
    # the pid that sh tells stays the program's.
    script = 'log=$1; shift; setsid "$@" >>"$log" 2>&1 </dev/null & echo $!'
    words = ["/bin/sh", "-c", script, "sh", str(log), *(str(word) for word in command)]
    told = subprocess.run(words, cwd=cwd, env=env, capture_output=True, text=True, check=True)
    return int(told.stdout)


def alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    known = facts(pid)
    return known is not None and known.alive


def facts(pid: int) -> ProcessFacts | None:
    """What the kernel says of a process; None where there is none.

    Read from /proc directly: it is asked for hundreds of processes at a time, and psutil's creation
    times hang on a boot time in whole seconds.
    """
    try:
        descriptor = os.open(f"/proc/{pid}/stat", os.O_RDONLY)
    except OSError:
        return None
    try:
        said = os.read(descriptor, 4096)
    except ProcessLookupError:
        return None
    finally:
        os.close(descriptor)
    # proc(5): the fields are counted behind the program's name, which may hold anything.
    fields = said[said.rindex(b")") + 2 :].split()
    return ProcessFacts(
        alive=fields[0] not in {b"Z", b"X"},
        halted=fields[0] in {b"T", b"t"},
        began=int(fields[19]) / _TICKS,
        memory=int(fields[21]) * _PAGE,
        cpu=(int(fields[11]) + int(fields[12])) / _TICKS,
    )


def family(pid: int) -> list[Process]:
    """A process with all its descendants; empty where it is gone."""
    import psutil

    try:
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def household(session: int, top: Path) -> list[Process]:
    """The processes that the Emperor which led a session has brought into the Venue at `top`.

    Those are the members of the session, where their program or working directory lies in the
    Venue, and what carries its mark in the environment, such as daemons in sessions of their own.
    """
    import psutil

    return [
        process
        for process in psutil.process_iter()
        if _is_marked(process, top) or (_session(process) == session and _lies_within(process, top))
    ]


def boot_clock() -> float:
    """Seconds since the system booted: the clock by which the kernel notes when processes begin."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def started_after(pid: int, moment: float) -> bool:
    """Whether a process began after `moment` of `boot_clock`, give or take a tick (10 ms)."""
    known = facts(pid)
    return known is not None and known.began >= moment - 0.01


def dismiss_lonely(household: Sequence[Process]) -> None:
    """Wake a dying uWSGI master, the first of `household`, whose other processes have all ended.

    It sleeps for whole seconds between looks at them; a SIGTERM then only ends that sleep.
    """
    import psutil

    if running(household) == [household[0]]:
        with suppress(psutil.NoSuchProcess):
            household[0].send_signal(signal.SIGTERM)


def describe(pid: int) -> str:
    """A process in words for an error message: `nginx (pid 812)`."""
    import psutil

    try:
        return f"{psutil.Process(pid).name()} (pid {pid})"
    except psutil.Error:
        return f"pid {pid}"


def running(processes: Iterable[Process]) -> list[Process]:
    """Those that have not ended; a pid that was given to another process counts as ended."""
    return [process for process in processes if process.is_running() and alive(process.pid)]


def insist(processes: Iterable[Process], deadline: Deadline) -> list[Process]:
    """Kill what is left of `processes`; returns those still there at the deadline."""
    import psutil

    left = running(processes)
    for process in left:
        try:
            process.send_signal(signal.SIGKILL)
        except psutil.NoSuchProcess:
            continue
    until(lambda: not running(left), deadline)
    return running(left)


def listener(port: int) -> int | None:
    """The pid of whoever listens on a TCP port; None for nobody or where we may not know."""
    import psutil

    try:
        connections = psutil.net_connections(kind="tcp")
    except psutil.AccessDenied:
        return None
    return next(
        (
            connection.pid
            for connection in connections
            if connection.status == psutil.CONN_LISTEN
            and connection.laddr
            and connection.laddr.port == port
        ),
        None,
    )


def belongs_to(pid: int, top: Path) -> bool:
    """Whether a process is the Venue's at `top`, by its mark, its program or its directory."""
    import psutil

    try:
        process = psutil.Process(pid)
    except psutil.NoSuchProcess:
        return False
    return _is_marked(process, top) or _lies_within(process, top)


def watch_end(pid: int) -> int | None:
    """A file descriptor that becomes readable when the process ends; None where it has ended.

    Raises OSError where no more files can be opened.
    """
    try:
        return os.pidfd_open(pid)
    except ProcessLookupError:
        return None


def _as_user(uid: int | None) -> list[str]:
    """What lets root's program run as a user, with that user's groups and no others."""
    if uid is None:
        return []
    user = pwd.getpwuid(uid)
    return [f"--reuid={uid}", f"--regid={user.pw_gid}", "--init-groups"]


def _at_home(env: Mapping[str, str] | None, uid: int | None) -> Mapping[str, str] | None:
    if uid is None:
        return env
    user = pwd.getpwuid(uid)
    home = {"HOME": user.pw_dir, "USER": user.pw_name, "LOGNAME": user.pw_name}
    return {**(os.environ if env is None else env), **home}


def _apart(uid: int | None) -> list[str]:
    """What runs a program as a user, in a terminal of its own if there is one."""
    if uid is None:
        return []
    if sys.stdin.isatty():
        return ["/usr/sbin/runuser", "--pty", "-u", pwd.getpwuid(uid).pw_name, "--"]
    return ["/usr/bin/setsid", "--wait", _SETPRIV, *_as_user(uid)]


def _session(process: Process) -> int | None:
    try:
        return os.getsid(process.pid)
    except (ProcessLookupError, PermissionError):
        return None


def _is_marked(process: Process, top: Path) -> bool:
    import psutil

    try:
        return process.environ().get(_MARK) == str(top)
    except psutil.Error:
        return False


def _lies_within(process: Process, top: Path) -> bool:
    import psutil

    try:
        places = (process.exe(), process.cwd())
    except psutil.Error:
        return False
    return any(Path(place).is_relative_to(top) for place in places if place)
