"""Why an Act does not run, put together from its logs, its vassal file and whoever has its port."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ..layout.paths import ActPaths
from ..logs import log_files
from ..system import processes
from ..uwsgi import includes, log_reasons, ports
from ..uwsgi.includes import INCLUDES, Script
from ..uwsgi.ini import Address
from ..uwsgi.log_reasons import Death

_KERNEL_LOG = Path("/dev/kmsg")
_OUT_OF_MEMORY = re.compile(r"Killed process (\d+)")
# As many lines as logs.tail reads at the most, and more.
_ALL = 100_000
_PROJECT = re.compile(r"/acts/(?P<name>\w+)/")


@dataclass(frozen=True)
class LogMark:
    """How long the Act's log and the Emperor's were, in bytes, when something began."""

    own: int
    emperors: int


_BEGINNING = LogMark(0, 0)


def log_mark(act_paths: ActPaths) -> LogMark:
    """A mark, so that only what is logged from now on counts as a reason."""
    return LogMark(log_files.size(act_paths.log), log_files.size(act_paths.venue.emperor_log))


def said_since(act_paths: ActPaths, mark: LogMark) -> str:
    """What was logged since a mark: the Act's own log, behind the Emperor's where that tells more.

    What goes wrong before a vassal opens its own log is told in the Emperor's.
    """
    own = _own(act_paths, mark)
    if log_reasons.reason_from(own):
        return own
    return f"{_started(act_paths, mark) or _emperors(act_paths, mark)}\n{own}".strip()


def why_failing(act_paths: ActPaths, address: Address | None, since: LogMark | None = None) -> str:
    """One line: why the Act does not run, from its log, the Emperor's log and who has its port.

    Only what was logged since its last start counts, or since a mark; '' if nothing tells.
    """
    mark = since or _BEGINNING
    if refused := log_reasons.refused_in(_emperors(act_paths, mark), act_paths.vassal.name):
        return refused
    own = log_reasons.last_life(_own(act_paths, mark))
    started = _started(act_paths, mark)
    # A vassal that starts up in the Emperor's log has none of its own.
    life = started if log_reasons.starts_in(started) and _is_ours(act_paths, started) else own
    return (
        _misconfigured(act_paths, started)
        or _misconfigured(act_paths, life)
        or _explained(act_paths, life, address)
        or (_usurper(act_paths, address) if address else "")
    )


def why_ended(act_paths: ActPaths, pids: Iterable[int]) -> str:
    """One line: why these processes of the Act ended; '' if nothing tells.

    For example: 'worker 1 (pid 812) was killed by signal 9 (out of memory)'.
    """
    ended = set(pids)
    own, emperors = _own(act_paths, _BEGINNING), _emperors(act_paths, _BEGINNING)
    life = log_reasons.life_of(own, ended)
    deaths = log_reasons.deaths_in(f"{emperors}\n{own}", ended)
    told = {death.pid: _worded(death) for death in deaths}
    causes = [*_masters_end(life, ended), *(told[pid] for pid in sorted(told))]
    if causes:
        return "; ".join(causes)
    if life:
        return log_reasons.trouble_in(life, lambda _: "")
    if ended & log_reasons.cursed_in(emperors, act_paths.vassal.name):
        return why_failing(act_paths, None)
    return ""


def killed_for_memory(kernel_log: Path = _KERNEL_LOG) -> set[int]:
    """The pids that the kernel killed when memory ran out, as far as its log may be read."""
    try:
        log = os.open(kernel_log, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return set()
    try:
        said = b"".join(_records(log)).decode(errors="replace")
    finally:
        os.close(log)
    return {int(pid) for pid in _OUT_OF_MEMORY.findall(said)}


def _records(log: int) -> Iterator[bytes]:
    # The device gives one record at a time and then no more; an ordinary file ends.
    with suppress(BlockingIOError):
        while record := _record(log):
            yield record


def _record(log: int) -> bytes:
    while True:
        try:
            return os.read(log, 8192)
        except BrokenPipeError:
            # Overwritten before it could be read; the next record is the oldest there is.
            continue


def _own(act_paths: ActPaths, mark: LogMark) -> str:
    return log_files.tail(act_paths.log, _ALL, since=mark.own)


def _emperors(act_paths: ActPaths, mark: LogMark) -> str:
    return log_files.tail(act_paths.venue.emperor_log, _ALL, since=mark.emperors)


def _started(act_paths: ActPaths, mark: LogMark) -> str:
    """What the Emperor's log says of the Act's last start."""
    included = {value for _, value in _script(act_paths).values(*INCLUDES)}
    return log_reasons.told_by_emperor(_emperors(act_paths, mark), act_paths.vassal.name, included)


def _explained(act_paths: ActPaths, life: str, address: Address | None) -> str:
    why = log_reasons.trouble_in(life, _worded)
    if "Address already in use" not in why:
        return why
    host, _, port = log_reasons.taken_address(life).rpartition(":")
    if port.isdigit():
        return _lost_port(act_paths, int(port), host.strip("[]") or "0.0.0.0")
    return _lost_port(act_paths, address.port, address.bound_host) if address else why


def _worded(death: Death) -> str:
    who = f"{death.who} (pid {death.pid})"
    if not death.signal:
        return f"{who} ended by itself" + (f", saying: {death.words}" if death.words else "")
    about = f" ({cause})" if (cause := _cause(death)) else ""
    return f"{who} was killed by signal {death.signal}{about}"


def _cause(death: Death) -> str:
    if death.request:
        return f"harakiri: {death.request} took too long"
    if death.signal != signal.SIGKILL:
        return (signal.strsignal(death.signal) or "").lower()
    return "out of memory" if death.pid in killed_for_memory() else ""


def _masters_end(life: str, ended: Collection[int]) -> Iterator[str]:
    pid = log_reasons.silent_master(life)
    if pid not in ended or pid is None or processes.alive(pid):
        return
    # Nothing but signal 9 leaves a master no time for a word.
    if not log_reasons.trouble_in(life, lambda _: ""):
        about = " (out of memory)" if pid in killed_for_memory() else ""
        yield f"the master (pid {pid}) was killed{about}"


def _lost_port(act_paths: ActPaths, port: int, host: str) -> str:
    """Who has the port that the Act could not bind, or that it was taken then."""
    pid = processes.listener(port)
    if pid and _is_member(act_paths, pid):
        return f"port {port} was still in use by an earlier run of the Act"
    if ports.in_use(port, host):
        return f"port {port} is held by {processes.describe(pid) if pid else 'another program'}"
    return f"port {port} was held by another program"


def _usurper(act_paths: ActPaths, address: Address) -> str:
    """Who else has the port, where that is certain."""
    pid = processes.listener(address.port) if ports.in_use(address.port, address.bound_host) else 0
    if not pid or _is_member(act_paths, pid):
        return ""
    return f"port {address.port} is held by {processes.describe(pid)}"


def _is_member(act_paths: ActPaths, pid: int) -> bool:
    """Whether a process is one of the Act's own, by its logs, its place and its command."""
    if pid in log_reasons.spawned_in(
        f"{_own(act_paths, _BEGINNING)}\n{_started(act_paths, _BEGINNING)}"
    ):
        return True
    try:
        place = Path(f"/proc/{pid}/cwd").readlink()
        command = Path(f"/proc/{pid}/cmdline").read_text(errors="replace").rstrip("\0")
    except OSError:
        return False
    # uWSGI may have renamed itself, then only its place tells whose it is.
    renamed = command.startswith("uWSGI ") and place.is_relative_to(act_paths.top)
    as_called = command.endswith(f"\0{act_paths.vassal.name}")
    return renamed or (as_called and place.is_relative_to(act_paths.venue.top))


def _is_ours(act_paths: ActPaths, started: str) -> bool:
    """Whether the Emperor's log tells of no other Act here, as far as its lines name one."""
    script = _script(act_paths)
    written = "\n".join(script.value(line) for line in script.lines)
    port = log_reasons.taken_address(started).rpartition(":")[2]
    others = {match["name"] for match in _PROJECT.finditer(started)} - {act_paths.name}
    dead = {death.pid for death in log_reasons.deaths_in(started)}
    return (
        (not port or f":{port}" in written)
        and all(f"acts/{name}" in written for name in others)
        and dead <= log_reasons.spawned_in(started)
    )


def _misconfigured(act_paths: ActPaths, life: str) -> str:
    """The line of an ini that uWSGI could not accept; a line of nobody's is not this Act's."""
    if option := log_reasons.unknown_option(life):
        what = f"unknown option '{option}'"
        wrong = _script(act_paths).all(option)
    elif file := log_reasons.missing_file(life):
        what = f"there is no file {file}"
        including = _script(act_paths).all(*INCLUDES)
        wrong = [line for line in including if line.value.endswith(Path(file).name)]
    else:
        return ""
    return wrong[0].blame(what) if wrong else ""


def _script(act_paths: ActPaths) -> Script:
    """What uWSGI reads for the Act; by the kept vassal file where there is no other."""
    file = act_paths.vassal if act_paths.vassal.exists() else act_paths.kept
    try:
        text = file.read_bytes().decode(errors="replace")
    except OSError:
        return Script()
    return includes.read_all(act_paths.venue, file, text)
