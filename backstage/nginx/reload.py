"""Reloading or starting nginx, and waiting until it answers."""

from __future__ import annotations

import socket
from pathlib import Path

from ..errors import SiteRefused
from ..system import processes, programs
from ..system.deadlines import Deadline, until
from .program import Nginx

_UNIT = "nginx.service"
_PATIENCE = 15.0
# nginx's process title for a worker that only finishes its requests.
_RETIRING = "shutting down"
# nginx's messages for a port that it tries to bind, and when it gives up.
_TRYING, _GIVEN_UP = "bind() to ", "still could not bind()"


def reload(nginx: Nginx, answering: tuple[int, ...]) -> None:
    """Reload the configuration; returns when nginx uses it and answers on these ports.

    Raises SiteRefused, with nginx's messages, if nginx keeps the old one.
    """
    master = nginx.pid
    if master is None:
        return
    mark = _size(nginx.error_log)
    moment = processes.boot_clock()
    _tell(nginx, master)
    until(
        lambda: _is_renewed(master, moment, answering) or _has_given_up(nginx, mark),
        Deadline(_PATIENCE),
    )
    if not _is_renewed(master, moment, answering):
        said = "\n".join(dict.fromkeys(_complaints(nginx.error_log, mark)))
        raise SiteRefused("nginx does not use its new configuration", said)


def start(answering: tuple[int, ...]) -> None:
    """Start nginx by systemd; returns when it answers on these ports. Raises SiteRefused."""
    done = _systemctl("start", _UNIT)
    if done.returncode or not until(lambda: all(map(_answers, answering)), Deadline(_PATIENCE)):
        raise SiteRefused("systemd cannot start nginx; see: journalctl -u nginx", done.stdout)


def stop() -> None:
    """Stop by systemd the nginx that `start` has started."""
    _systemctl("stop", _UNIT)


def _tell(nginx: Nginx, master: int) -> None:
    if nginx.has_unit and _unit_pid() == master:
        done = _systemctl("reload", _UNIT)
        is_told, said = done.returncode == 0, done.stdout
    else:
        is_told, said = nginx.run("-s", "reload")
    if not is_told:
        raise SiteRefused("nginx cannot be told to reload its configuration", said)


def _is_renewed(master: int, moment: float, answering: tuple[int, ...]) -> bool:
    """Whether new workers answer, and no old worker accepts requests any more."""
    workers = [each for each in processes.family(master) if each.pid != master]
    new = [each for each in workers if processes.started_after(each.pid, moment)]
    old = [each for each in workers if each not in new]
    titles = [_title(each.pid) for each in old]
    finished = all(_RETIRING in title or not title for title in titles)
    return bool(new) and finished and all(map(_answers, answering))


def _has_given_up(nginx: Nginx, mark: int) -> bool:
    """Whether it logged why it keeps the old configuration; it tries to bind a port for 2.5 s."""
    said = _complaints(nginx.error_log, mark)
    return any(_GIVEN_UP in line or _TRYING not in line for line in said)


def _systemctl(*words: str) -> programs.Done:
    return programs.run(["systemctl", *words], env=programs.tool_environment())


def _unit_pid() -> int:
    told = _systemctl("show", "--value", "-p", "MainPID", _UNIT).stdout.strip()
    return int(told) if told.isdigit() else 0


def _title(pid: int) -> str:
    """The title of a process; '' if it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
    except OSError:
        return ""


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1.0):
            return True
    except OSError:
        return False


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _complaints(log: Path, mark: int) -> list[str]:
    """The fatal errors that were added to an error log since a mark."""
    try:
        with log.open("rb") as file:
            file.seek(mark)
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:
        return []
    return [line for line in lines if "[emerg]" in line]
