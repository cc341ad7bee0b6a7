"""Run programs: to completion, in parallel, in this terminal, or detached."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from . import terminals, trust, users

Started = subprocess.Popen[str]
TookTooLong = subprocess.TimeoutExpired
Done = subprocess.CompletedProcess[str]
Apart = subprocess.Popen[bytes]

# The variables that a service inherits, so that it runs the same whether started from a terminal,
# cron or a unit. Above all no DJANGO_SETTINGS_MODULE, no UWSGI_*, no PYTHON*.
_KEPT_VARIABLES = {
    *("HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ", "TMPDIR", "XDG_RUNTIME_DIR"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "http_proxy", "https_proxy", "no_proxy"),
    *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"),
}
# The variables that programs in a terminal need.
_TERMINAL_VARIABLES = ("TERM", "COLORTERM", "NO_COLOR", "VISUAL", "EDITOR", "PAGER")
_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# An absolute path, because a search would begin in the Venue's bin/, where its owner may have put
# any program.
_SETPRIV = next(filter(os.path.exists, ("/usr/bin/setpriv", "/bin/setpriv")), "setpriv")
_SETSID = "/usr/bin/setsid"
_ENV = "/usr/bin/env"
# A program that outlived its killed caller would go on writing into what the next call rebuilds.
_DIES_WITH_US = (_SETPRIV, "--pdeathsig", "KILL")
# That signal is sent to the program alone; this shell passes it on to all that it has started.
_ALL_DIE_WITH_US = (
    *(_SETPRIV, "--pdeathsig", "TERM"),
    *("/bin/sh", "-c", 'trap "kill -KILL 0" TERM; "$@" & wait $!', "sh"),
)


def service_environment(venue: Path) -> dict[str, str]:
    """The environment variables of every program that runs in the Venue at `venue`.

    Raises UnsafeDirectory if others than this user and root could have changed that program.
    """
    trust.refuse_untrusted(venue)
    kept = {
        key: value
        for key, value in os.environ.items()
        if key in _KEPT_VARIABLES or key.startswith("LC_")
    }
    path = f"{venue / 'bin'}:{os.environ.get('PATH', _SYSTEM_PATH)}"
    return {**kept, "PATH": path, "VIRTUAL_ENV": str(venue)}


def tool_environment() -> dict[str, str]:
    """The caller's environment for tools such as pip, without variables that misdirect them."""
    misleading = {"VIRTUAL_ENV", "PYTHONHOME", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE"}
    return {key: value for key, value in os.environ.items() if key not in misleading}


def run(
    command: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    timeout: float | None = None,
    uid: int | None = None,
    leads: bool = False,
) -> Done:
    """Run a program to completion, without input; its output is text, with both streams in one.

    It does not outlive this process. As root, `uid` is the user to run it as. One that `leads` has
    no terminal that it could ask in, and ends with what it has started. Raises TookTooLong after
    `timeout` seconds.
    """
    words = [*_ALL_DIE_WITH_US, *command] if leads else command
    with start(words, cwd=cwd, env=env, uid=uid, leads=leads) as process:
        try:
            output, _ = process.communicate(timeout=timeout)
        except BaseException:
            if leads:
                kill_session(process)
            process.kill()
            raise
    return subprocess.CompletedProcess(process.args, process.returncode, output)


def start(
    command: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    uid: int | None = None,
    leads: bool = False,
) -> Started:
    """Start a program that does not outlive this one; read its output with `.communicate()`.

    As root, `uid` is the user to run it as. One that `leads` has a session of its own: a signal to
    its process group reaches what it has started too.
    """
    return subprocess.Popen(
        [*_DIES_WITH_US, *_at(cwd, uid), *(str(word) for word in command)],
        cwd=cwd if uid is None else "/",
        env=at_home(env, uid),
        # A program with root's terminal could type into it.
        start_new_session=leads or uid is not None or users.has_become(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        **_as_user(uid),
    )


def start_apart(
    command: Sequence[str | Path], *, env: Mapping[str, str], uid: int | None, gains: bool
) -> Apart:
    """Start a program at `/` in a session of its own, with pipes for its input and its output.

    It is sent SIGTERM when the calling thread ends. As root, `uid` is the user to run it as;
    without `gains`, neither it nor its children get further rights from setuid programs.
    """
    stays = [] if gains else ["--no-new-privs"]
    return subprocess.Popen(
        [_SETPRIV, "--pdeathsig", "TERM", *stays, *map(str, command)],
        cwd="/",
        env=at_home(env, uid),
        start_new_session=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        **_as_user(uid),
    )


def start_answering(command: Sequence[str | Path], connection: int, venue: Path) -> Apart:
    """Start a program of a Venue whose input is a connection; nothing hears what it prints.

    It is killed when the calling thread ends.
    """
    return subprocess.Popen(
        [*_DIES_WITH_US, *map(str, command)],
        cwd="/",
        env=service_environment(venue),
        start_new_session=True,
        stdin=connection,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def kill_session(process: Apart | Started) -> None:
    """Kill a process that leads a session, with what it has started there, unless it has ended."""
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def run_in_terminal(
    command: Sequence[str | Path], *, cwd: Path, env: Mapping[str, str], uid: int | None = None
) -> int:
    """Run a program in this terminal to completion; return its exit code as a shell would.

    Ctrl-C is left to the program, which may continue. As root, `uid` is the user to run it as,
    in a separate terminal: with root's, the program could type into it.
    """
    terminal = {key: os.environ[key] for key in _TERMINAL_VARIABLES if key in os.environ}
    words = [*_at(cwd, uid), *(str(word) for word in command)]
    place, variables = "/" if uid is not None else cwd, at_home({**env, **terminal}, uid)
    if uid is None and not users.has_become():
        status = _call_here(words, cwd, variables)
    elif sys.stdin.isatty():
        status = terminals.call(lambda own: _start_at(own, words, place, variables, uid))
    else:
        words, options = [*_DIES_WITH_US, *words], _as_user(uid)
        status = subprocess.call(words, cwd=place, env=variables, start_new_session=True, **options)
    return status if status >= 0 else 128 - status


def _call_here(words: Sequence[str], cwd: Path, env: Mapping[str, str] | None) -> int:
    # Unlike SIG_IGN, a handler is not inherited.
    handler = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        return subprocess.call(words, cwd=cwd, env=env)
    finally:
        signal.signal(signal.SIGINT, handler)


def _start_at(
    terminal: int,
    words: Sequence[str],
    cwd: Path | str,
    env: Mapping[str, str] | None,
    uid: int | None,
) -> Apart:
    """Start a program whose terminal this is; its output may go elsewhere."""
    return subprocess.Popen(
        [_SETSID, "--ctty", *_DIES_WITH_US, *words],
        cwd=cwd,
        env=env,
        stdin=terminal,
        stdout=terminal if sys.stdout.isatty() else None,
        stderr=terminal if sys.stderr.isatty() else None,
        **_as_user(uid),
    )


def detach(command: Sequence[str | Path], *, cwd: Path, env: Mapping[str, str], log: Path) -> int:
    """Start a program that outlives this one, in a session of its own; return its pid.

    It is not a child of this process, so it leaves no zombie here. Both streams go to `log`. Nobody
    else can write what it creates, whatever the umask of this process.
    """
    # A background command of sh leads no process group, so setsid does not fork, and the pid that
    # sh prints is the program's.
    script = 'umask g-w,o-w; log=$1; shift; setsid "$@" >>"$log" 2>&1 </dev/null & echo $!'
    words = ["/bin/sh", "-c", script, "sh", str(log), *(str(word) for word in command)]
    started = subprocess.run(words, cwd=cwd, env=env, capture_output=True, text=True, check=True)
    return int(started.stdout)


def at_home(env: Mapping[str, str] | None, uid: int | None) -> Mapping[str, str] | None:
    """An environment with the home and the name of a user; None for this process's own."""
    if uid is None:
        return env
    user = users.by_uid(uid)
    home = {"HOME": user.pw_dir, "USER": user.pw_name, "LOGNAME": user.pw_name}
    return {**(os.environ if env is None else env), **home}


def _as_user(uid: int | None) -> dict[str, Any]:
    """The options of Popen to run a program as a user, with exactly that user's groups.

    Not by a program that root runs: the program's variables, such as LD_PRELOAD, would be for that.
    """
    if uid is None:
        return {}
    user = users.by_uid(uid)
    groups = os.getgrouplist(user.pw_name, user.pw_gid)
    return {"user": uid, "group": user.pw_gid, "extra_groups": groups}


def _at(cwd: Path | None, uid: int | None) -> list[str]:
    """What lets a user's program begin in a directory that this user can enter."""
    return [] if uid is None or cwd is None else [_ENV, "-C", str(cwd)]
