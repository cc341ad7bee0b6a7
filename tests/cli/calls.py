"""Calls of the command in processes of their own that need no new Python: any user, any limits."""

from __future__ import annotations

import os
import select
import signal
import sys
import sysconfig
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages

import backstage
from backstage.cli import program
from tests.patience import PATIENCE

NOBODY = 65534
_LIBRARY = Path(backstage.__file__).parent
# Not to be imported: programs, and data.
_LATE = (
    *("pickle", "encodings.ascii", "encodings.idna", "click._textwrap", "filelock", "psutil"),
    *("rich.console", "rich.live", "rich.text", "yaml"),
)
_NO_MODULES = ("backstage.cli.__main__", "backstage.projects.inside", "backstage.uwsgi.inside")


@dataclass(frozen=True)
class Call:
    """What came of a call; the code is None if it had to be killed."""

    code: int | None
    out: str
    err: str


def load_everything() -> None:
    """Import every module of the library, so that the calls need not do it one by one."""
    for module in walk_packages([str(_LIBRARY)], "backstage."):
        if not module.name.startswith((*_NO_MODULES, "backstage.scaffolds", "backstage.watcher")):
            import_module(module.name)
    # What these import late may be where another user cannot read it.
    for name in _LATE:
        import_module(name)
    sysconfig.get_config_vars()


def why_not_as_nobody() -> str:
    """Why a call cannot be made as another user here; '' if it can."""
    if os.geteuid() != 0:
        return "becoming another user needs root"
    code = call([], user=NOBODY, work=lambda: 0 if os.access(_LIBRARY, os.R_OK | os.X_OK) else 1)
    return "" if code.code == 0 else f"another user cannot read {_LIBRARY}"


def call(
    words: Sequence[str],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    user: int | None = None,
    before: Callable[[], object] = lambda: None,
    work: Callable[[], int | None] | None = None,
) -> Call:
    """Run the command to its end; `before` is called in the new process, as the user `user`.

    Instead of the command, it may do some other `work`.
    """
    streams = [os.memfd_create(name) for name in ("out", "err")]
    child = os.fork()
    if child == 0:
        _end(lambda: _do(words, cwd, env, user, before, work or program.main, streams))
    code = _ending(child)
    texts = [_content(stream) for stream in streams]
    return Call(code, *texts)


def _do(
    words: Sequence[str],
    cwd: Path | None,
    env: Mapping[str, str] | None,
    user: int | None,
    before: Callable[[], object],
    work: Callable[[], int | None],
    streams: Sequence[int],
) -> int | None:
    _become(user, cwd, env, streams)
    before()
    sys.argv = ["backstage", *words]
    return work()


def _become(
    user: int | None, cwd: Path | None, env: Mapping[str, str] | None, streams: Sequence[int]
) -> None:
    os.setsid()
    for number, stream in zip((0, 1, 2), (os.open(os.devnull, os.O_RDONLY), *streams), strict=True):
        os.dup2(stream, number)
    sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w"), open(2, "w")  # noqa: SIM115
    os.umask(0o022)
    if env is not None:
        os.environ.clear()
        os.environ.update(env)
    if user is not None:
        os.setgroups([])
        os.setgid(user)
        os.setuid(user)
    if cwd:
        os.chdir(cwd)


def _end(work: Callable[[], int | None]) -> None:
    code = 1
    try:
        code = work() or 0
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException:  # noqa: BLE001 - as Python itself would show it
        os.write(2, traceback.format_exc().encode())
    finally:
        os._exit(code)


def _ending(child: int) -> int | None:
    """The exit code of a process; None if it had not ended in time and was killed."""
    with os.fdopen(os.pidfd_open(child)) as ends:
        ended, _, _ = select.select([ends], [], [], PATIENCE)
    if not ended:
        os.killpg(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status) if ended else None


def _content(stream: int) -> str:
    with os.fdopen(stream, "rb") as file:
        file.seek(0)
        return file.read().decode(errors="replace")
