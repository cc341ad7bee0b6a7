"""Running programs: to their end, beside this one, in its terminal, or on their own."""

from __future__ import annotations

import os
import pwd
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from . import users

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
# What programs in a terminal go by.
_TERMINAL_VARIABLES = ("TERM", "COLORTERM", "NO_COLOR", "VISUAL", "EDITOR", "PAGER")
_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# By its path: what runs in a Venue is looked for in the Venue's bin/ first, where its owner may
# have put what he likes, and root begins with this one.
_SETPRIV = next(filter(os.path.exists, ("/usr/bin/setpriv", "/bin/setpriv")), "setpriv")
# A helper that outlived a killed caller would go on writing where the next call builds anew.
_DIES_WITH_US = (_SETPRIV, "--pdeathsig", "KILL")


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


def run_in_terminal(
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
        words = [*_in_terminal_as_user(uid), *(str(word) for word in command)]
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
    started = subprocess.run(words, cwd=cwd, env=env, capture_output=True, text=True, check=True)
    return int(started.stdout)


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


def _in_terminal_as_user(uid: int | None) -> list[str]:
    """What runs a program as a user, in a terminal of its own if there is one."""
    if uid is None:
        return []
    if sys.stdin.isatty():
        return ["/usr/sbin/runuser", "--pty", "-u", pwd.getpwuid(uid).pw_name, "--"]
    return ["/usr/bin/setsid", "--wait", _SETPRIV, *_as_user(uid)]
