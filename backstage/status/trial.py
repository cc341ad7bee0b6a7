"""Tries new code in a process of its own before a restart, as its Act would run it."""

from __future__ import annotations

import json
import os
import select
import signal
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import CheckFailed
from ..facts.health import HealthCheck
from ..facts.states import State
from ..facts.trials import Trial
from ..kinds.catalog import kind_of
from ..layout.paths import ActPaths
from ..layout.settings import ActSettings, read_settings
from ..projects import ask
from ..system import as_user, programs, users
from ..system.control_groups import ControlGroup
from ..system.deadlines import Deadline
from ..uwsgi import dry_run, includes, launch, log_reasons, vassal_files
from ..uwsgi.application import application
from ..uwsgi.ini import VassalFile
from .survey import Look

# How long it may take to load new code and to answer, in seconds, if the caller waits no longer.
PATIENCE = 30.0
# States in which an Act serves, or would with the next request.
_SERVING = frozenset({State.RUNNING, State.SLEEPING})
_GROUPS = "/sys/fs/cgroup/"
_NICE = 5
# Without a control group, the kernel limits the memory that is reserved, not what is used of it.
_RESERVED_PER_USED = 2
# How much output is read and shown, in bytes and lines.
_ENOUGH = 64 * 1024
_TAIL = 40
_PAUSE = 0.05
# Time for the supervising process to end all others, in seconds.
_ENDING = 2.0
# These tell uWSGI and systemd's clients whom to report to.
_FOREIGN = ("UWSGI_", "NOTIFY_SOCKET", "WATCHDOG_", "LISTEN_")


@dataclass(frozen=True)
class _Ending:
    """How the process ended: its output, its exit status, or None if it had to be ended."""

    output: str
    status: int | None
    starved: bool


def try_out(act_paths: ActPaths, look: Look, wait: float | None, text: str = "") -> Trial:
    """Try the code that a restart of the Act would load, while that is as `look` shows it.

    `text` is its vassal file, if another one than is there now; one that cannot work is not tried,
    as uWSGI would not load it. It may take as long as `wait`, but at least PATIENCE. Raises
    CheckFailed.
    """
    file = VassalFile(act_paths.name, text) if text else vassal_files.current(act_paths)
    if look.state not in _SERVING or file is None:
        return Trial.NOT_RUNNING
    used = vassal_files.kept(act_paths)
    if not text and used and used != file and dry_run.fault(act_paths, running=used):
        return Trial.FAULTY
    if not kind_of(file).has_workers:
        return Trial.NOT_WSGI
    task = _task(act_paths, file)
    if task is None:
        return Trial.NOT_PLAIN
    settings = read_settings(act_paths.venue.settings).act(act_paths.name)
    patience = max(PATIENCE, wait or 0.0)
    word = ask.word()
    task = {**task, "word": word, "pages": _pages(settings.health), "nice": _NICE}
    ended = _carry_out(act_paths, settings, task, patience)
    return _judged(act_paths.name, word, ended, patience)


def _task(act_paths: ActPaths, file: VassalFile) -> dict[str, Any] | None:
    """What the program is to load, read with the rights of the Venue's owner; None if unknown."""

    def read() -> dict[str, Any] | None:
        script = includes.read_all(act_paths.venue, act_paths.vassal, file.text)
        found = application(act_paths.venue, script, _environment(act_paths))
        python = found.home / "bin" / "python" if found else Path()
        if found is None or not python.exists():
            return None
        return {
            **{"python": str(python), "directory": str(found.directory), "file": found.file},
            **{"module": found.module, "callable": found.callable, "paths": found.paths},
            "environment": {**found.environment, "BACKSTAGE_CHECK": "1"},
        }

    task = as_user.run_as(users.stand_in(act_paths.venue.top), read)
    return task if isinstance(task, dict) else None


def _environment(act_paths: ActPaths) -> dict[str, str]:
    """The environment of the Act's uWSGI; an older `templates/launch` has not recorded it."""
    try:
        recorded = os.fsdecode(act_paths.environment.read_bytes())
    except FileNotFoundError:
        return {
            **(programs.at_home(_inherited(act_paths), launch.uid_of(act_paths)) or {}),
            "BACKSTAGE_RUN": str(act_paths.stats.parent),
            "BACKSTAGE_LOG": str(act_paths.log.parent),
        }
    pairs = (entry.split("=", 1) for entry in recorded.split("\0") if "=" in entry)
    return {name: value for name, value in pairs if not name.startswith(_FOREIGN)}


def _inherited(act_paths: ActPaths) -> dict[str, str]:
    top = act_paths.venue.top
    return {**programs.service_environment(top), "BACKSTAGE_VENUE": str(top)}


def _pages(health: HealthCheck | None) -> list[dict[str, Any]]:
    """The pages to ask for: a health check by a command would ask the Act that runs."""
    check = HealthCheck(path="/") if health is None else health
    if not check:
        return []
    asked = [check] if check.path else []
    if check.path != "/":
        asked.append(HealthCheck(path="/"))
    return [{"path": page.path, "status": page.status, "text": page.text} for page in asked]


def _carry_out(
    act_paths: ActPaths, settings: ActSettings, task: Mapping[str, Any], patience: float
) -> _Ending:
    """Run the program with the Act's user and limits; nothing that it started is left."""
    venue = act_paths.venue.top
    process = programs.start_apart(
        [task["python"], *ask.words("trial")],
        env=programs.service_environment(venue),
        uid=launch.uid_of(act_paths),
        gains=not settings.run_as,
    )
    group = _group(act_paths, task["environment"])
    try:
        is_limited = group is not None and group.take_in(
            process.pid, launch.group_limits(settings.limits)
        )
        reserved = 0 if is_limited else (settings.limits.memory or 0) * _RESERVED_PER_USED
        _send(process, {**task, "memory": reserved})
        output, is_late = _read(process, Deadline(patience))
    finally:
        _end(process)
        starved = group is not None and group.ran_out_of_memory
        if group:
            group.end()
    return _Ending(output, None if is_late else process.returncode, starved)


def _group(act_paths: ActPaths, environment: Mapping[str, str]) -> ControlGroup | None:
    """A control group beside those of the Acts; root does not follow what another user names."""
    above = environment.get("BACKSTAGE_GROUP", "")
    if not above.startswith(_GROUPS) or users.stand_in(act_paths.venue.top) is not None:
        return None
    return ControlGroup(Path(above) / f"check-{act_paths.name}")


def _send(process: programs.Apart, task: Mapping[str, Any]) -> None:
    # It may have ended already.
    with suppress(BrokenPipeError):
        if process.stdin:
            process.stdin.write(json.dumps(task).encode())
            process.stdin.flush()
    with suppress(BrokenPipeError):
        if process.stdin:
            process.stdin.close()


def _read(process: programs.Apart, deadline: Deadline) -> tuple[str, bool]:
    """The end of its output, and whether it was still running at the deadline."""
    if process.stdout is None:
        return "", False
    stream, tail = process.stdout.fileno(), bytearray()
    waiting = select.poll()
    waiting.register(stream, select.POLLIN)
    while not deadline.expired:
        if waiting.poll(min(_PAUSE, deadline.remaining) * 1000):
            data = os.read(stream, _ENOUGH)
            if not data:
                return tail.decode(errors="replace"), False
            tail += data
            del tail[:-_ENOUGH]
        elif process.poll() is not None:
            # Something that it started keeps the output open.
            return tail.decode(errors="replace"), False
    return tail.decode(errors="replace"), process.poll() is None


def _end(process: programs.Apart) -> None:
    """Have it end everything that it started, itself last."""
    with process:
        try:
            process.terminate()
            process.wait(_ENDING)
        except programs.TookTooLong:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def _judged(name: str, word: str, ended: _Ending, patience: float) -> Trial:
    facts = list(_facts(word, ended.output))
    said = _clean(line for line in ended.output.splitlines() if not line.startswith(word))
    doing = next((str(fact["doing"]) for fact in facts[::-1] if "doing" in fact), "load")
    path = "" if doing == "load" else doing
    last = facts[-1] if facts else {}
    if not last.get("done"):
        raise CheckFailed(name, _unfinished(path, said, ended, patience), path=path, output=said)
    found = last.get("found")
    if not isinstance(found, dict):
        return Trial.PASSED
    if found.get("untold") == "uwsgi":
        return Trial.NEEDS_UWSGI
    if found.get("untold"):
        return Trial.NOT_WSGI
    status = found.get("status")
    raise CheckFailed(
        name,
        _clean([_found(path, found)]),
        path=path,
        status=status if isinstance(status, int) else None,
        output=said,
    )


def _facts(word: str, output: str) -> Iterable[Mapping[str, Any]]:
    """What the program has reported, in order; the project may have disturbed it."""
    for line in output.splitlines():
        with suppress(ValueError):
            fact = json.loads(line.removeprefix(word)) if line.startswith(word) else None
            if isinstance(fact, dict):
                yield fact


def _found(path: str, found: Mapping[str, Any]) -> str:
    """The fault as one line, for example: '/ answers 500: ValueError: … (views.py, line 3)'."""
    error = log_reasons.reason_from(str(found.get("traceback") or ""))
    if not path:
        return error or "it cannot be loaded"
    if "status" not in found:
        return f"{path} is not answered: {error}"
    told = f"{path} answers {found['status']}"
    why = error or str(found.get("line") or "")
    if found.get("good"):
        return f"{told} without the text it should have"
    return f"{told}: {why}" if why else told


def _unfinished(path: str, said: str, ended: _Ending, patience: float) -> str:
    what = f"{path} is not answered" if path else "it does not load"
    if ended.starved:
        return f"{what} with the memory that the Act may use"
    if ended.status is None:
        return f"{what} within {patience:.0f} s"
    if signalled := -ended.status if ended.status < 0 else max(0, ended.status - 128):
        return f"{what}: its process was killed by signal {signalled}"
    told = f"{what}: its process ended by itself with exit code {ended.status}"
    words = log_reasons.reason_from(said) or "".join(said.splitlines()[-1:])
    return f"{told}, saying: {words}" if words else told


def _clean(lines: Iterable[str]) -> str:
    """The last lines of a text that a project wrote, without what could steer a terminal."""
    kept = [line for line in lines if line.strip()][-_TAIL:]
    return "\n".join(
        "".join(sign if sign.isprintable() else " " for sign in line)[:1000] for line in kept
    )
