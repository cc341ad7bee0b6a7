"""Examining a Venue and its Acts: every check, one after the other; none changes anything."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from shlex import join, quote

from ..errors import BackstageError
from ..facts.states import PASSING, State
from ..layout.paths import ActPaths, VenuePaths
from ..layout.shipped_files import configuration
from ..projects.dotenv import DotEnv
from ..projects.masking import secrets_in, veiled
from ..status import explanation
from ..status.survey import Look, Survey
from ..system import processes, sockets, users
from ..system.deadlines import Deadline
from ..uwsgi import dry_run, includes, ini, vassal_files
from . import directories, django, environment, limits, ports
from .finding import Finding, note, ok, trouble, warning
from .limits import Kernel

# Without these the library finds no Emperor, or two of them run.
_NEEDED_OF_EMPEROR = ("flock", "emperor", "emperor-stats")
# How long Acts on their way are waited for, and how often they are looked at, in seconds.
_PATIENCE, _PAUSE = 3.0, 0.1
_START_VENUE = "type: backstage venue start"


def examine(survey: Survey, names: Sequence[str]) -> Iterator[Finding]:
    """Every finding about a Venue and about the Acts of these names, as soon as it is made.

    A check that cannot be carried out is a finding as well.
    """
    paths = survey.paths
    if stranger := directories.stranger(paths):
        yield replace(stranger, check="permissions")
        return
    acts = [paths.act(name) for name in names]
    checks: dict[str, Callable[[], Iterable[Finding]]] = {
        "environment": lambda: environment.environment(paths),
        "uwsgi": lambda: environment.uwsgi(paths),
        "permissions": lambda: directories.permissions(paths, acts),
        "emperor": lambda: _emperor(survey),
        "ports": lambda: ports.examine(paths, survey.look_at(names)),
        "disk": lambda: directories.disk(paths),
        "limits": lambda: _limits(survey, acts),
        "leftovers": lambda: directories.leftovers(paths),
        "acts": lambda: _acts(survey, names),
        "django": lambda: django.examine(acts),
    }
    for name, check in checks.items():
        yield from _carried_out(name, check)


def _carried_out(name: str, check: Callable[[], Iterable[Finding]]) -> Iterator[Finding]:
    try:
        for finding in check():
            yield replace(finding, check=name)
    except Exception as error:  # noqa: BLE001 - what keeps one check from looking is told, too
        what = f"cannot be examined: {type(error).__name__}: {error}"
        yield replace(trouble(name, what, _remedy(error)), check=name)


def _remedy(error: Exception) -> str:
    """What to do where a check could not be carried out."""
    if isinstance(error, OSError) and error.filename:
        return f"type: {join(['ls', '-ld', str(error.filename)])}"
    if isinstance(error, BackstageError):
        return "mend that, and examine it again"
    return "this is a fault of Backstage's own; please report it"


def _emperor(survey: Survey) -> Iterator[Finding]:
    paths, pid = survey.paths, survey.emperor.pid
    yield from _lacking(paths)
    if pid is None:
        yield _no_emperor(sum(survey.paths.act(name).vassal.exists() for name in survey.names()))
    elif survey.emperor.stats():
        yield ok("Emperor", f"runs, pid {pid}, {_origin(pid)}")
    elif (facts := processes.facts(pid)) and facts.halted:
        yield trouble("Emperor", f"is halted by a signal (pid {pid})", f"type: kill -CONT {pid}")
    else:
        again = "type: backstage venue stop && backstage venue start"
        remedy = f"read the end of {quote(str(paths.emperor_log))}, then {again}"
        yield trouble("Emperor", f"does not answer (pid {pid})", remedy)


def _no_emperor(wanted: int) -> Finding:
    if not wanted:
        return note("Emperor", "does not run, and no Act is wanted", _START_VENUE)
    return trouble("Emperor", f"does not run, and so none of {wanted} wanted Acts", _START_VENUE)


def _origin(pid: int) -> str:
    """Who runs a process, and as which unit of systemd."""
    user = users.name_of(Path(f"/proc/{pid}").stat().st_uid)
    groups = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
    units = {name for line in groups if (name := line.rpartition("/")[2]).endswith(".service")}
    return f"by {user}, as {', '.join(sorted(units))}" if units else f"by {user}"


def _lacking(venue_paths: VenuePaths) -> Iterator[Finding]:
    there = {line.key for line in ini.settings(venue_paths.emperor_ini.read_text(errors="replace"))}
    for _, key, value in ini.settings(configuration("emperor", "emperor.ini")):
        if key in _NEEDED_OF_EMPEROR and key not in there:
            remedy = f"write `{key} = {value}` into {venue_paths.emperor_ini}"
            yield trouble("emperor.ini", f"does not set {key}", remedy)


def _limits(survey: Survey, acts: Iterable[ActPaths]) -> Iterator[Finding]:
    queues = {act.name: length for act in acts if (length := _queue(act))}
    return limits.examine(Kernel(), survey.emperor.pid, len(survey.names()), queues)


def _queue(act_paths: ActPaths) -> int:
    """The listen queue that the Act's vassal file asks for, 0 where that cannot be told."""
    file = vassal_files.load(act_paths)
    line = includes.read_all(act_paths.venue, act_paths.vassal, file.text if file else "").last(
        "listen"
    )
    return int(line.value) if line and line.value.isdecimal() else 0


def _acts(survey: Survey, names: Sequence[str]) -> Iterator[Finding]:
    for name, look in _settled(survey, names).items():
        act = survey.paths.act(name)
        found = [*_act(act, look)]
        yield from found
        if not found:
            port = f" on port {look.address.port}" if look.address and look.pid else ""
            yield ok(name, f"{look.state}{port}")


def _settled(survey: Survey, names: Sequence[str]) -> dict[str, Look]:
    """Looks at Acts; those on their way are given some time to get there.

    One that fails is tried again and again, and would be seen starting now and then.
    """
    looks, deadline = survey.look_at(names), Deadline(_PATIENCE)
    while passing := [name for name, look in looks.items() if look.state in PASSING]:
        if deadline.expired:
            break
        time.sleep(_PAUSE)
        looks.update(survey.look_at(passing))
    return looks


def _act(act_paths: ActPaths, look: Look) -> Iterator[Finding]:
    """What is wrong with an Act, beside what Django knows of it."""
    name = quote(act_paths.name)
    if look.state is State.FAILING:
        why = (
            _harmless(act_paths, explanation.why(act_paths, look) or dry_run.fault(act_paths))
            or "nothing tells why"
        )
        remedy = f"mend that; its log is in {act_paths.log}; then type: backstage start {name}"
        yield trouble(act_paths.name, f"fails: {why}", remedy)
    elif look.state is State.WAITING:
        yield note(act_paths.name, "waits for the Emperor", _START_VENUE)
    elif look.state in PASSING:
        yield note(act_paths.name, f"is {look.state}")
    if look.refused:
        remedy = f"the Act runs on as before; to mend it, type: backstage edit {name}"
        yield warning(
            act_paths.name, f"an edit is not used: {_harmless(act_paths, look.refused)}", remedy
        )
    elif fault := _fault(act_paths, look):
        remedy = f"mend it, then type: backstage restart {name}"
        yield trouble(act_paths.name, f"cannot be started: {_harmless(act_paths, fault)}", remedy)


def _fault(act_paths: ActPaths, look: Look) -> str:
    """Why the vassal file cannot work; who has its port, the check of ports tells."""
    if look.state is State.FAILING or not look.seen.wanted:
        return ""
    address = look.address
    has_port = look.pid or (address and sockets.in_use(address.port, address.bound_host))
    used = vassal_files.kept(act_paths) or vassal_files.current(act_paths)
    return dry_run.fault(act_paths, running=used if has_port else None)


def _harmless(act_paths: ActPaths, text: str) -> str:
    """A text from logs, without the secrets in the Act's .env."""
    if not act_paths.env_file.exists():
        return text
    return veiled(text, secrets_in(DotEnv(act_paths.env_file.read_text(errors="replace"))))
