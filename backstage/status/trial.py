"""Tries new code in a process of its own before a restart, as its Act would run it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import CheckFailed
from ..facts.health import HealthCheck
from ..facts.states import State
from ..facts.trials import Trial
from ..kinds.catalog import kind_of
from ..layout.paths import ActPaths
from ..layout.settings import ActSettings, Settings, read_settings
from ..projects import ask
from ..projects.project import variables
from ..system import as_user, programs, users
from ..system.apart import run_apart
from ..system.control_groups import ControlGroup
from ..system.files import contents
from ..uwsgi import dry_run, includes, launch, vassal_files
from ..uwsgi.application import application
from ..uwsgi.health_check import check_of, speaks_http
from ..uwsgi.ini import VassalFile
from . import premises
from .survey import Look
from .trial_report import Report

# How long it may take to load new code and to answer, in seconds, if the caller waits no longer.
PATIENCE = 30.0
# States in which an Act serves, or would with the next request.
_SERVING = frozenset({State.RUNNING, State.UNHEALTHY, State.SLEEPING})
_GROUPS = "/sys/fs/cgroup/"
_NICE = 5
_FIRST_PAGE = HealthCheck(path="/")
# Without a control group, the kernel limits the memory that is reserved, not what is used of it.
_RESERVED_PER_USED = 2
# These tell uWSGI and systemd's clients whom to report to.
_FOREIGN = ("UWSGI_", "NOTIFY_SOCKET", "WATCHDOG_", "LISTEN_")


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
    if gone := _missing(act_paths, file):
        raise CheckFailed(act_paths.name, gone)
    task = _task(act_paths, file)
    if task is None:
        return Trial.NOT_PLAIN
    settings = read_settings(act_paths.venue.settings)
    patience = max(PATIENCE, wait or 0.0)
    # While an Act does not answer well, its new code is not asked to answer better.
    is_well = look.state is not State.UNHEALTHY
    pages = _pages(_check(act_paths, settings, file)) if is_well else []
    task = {**task, "word": ask.word(), "pages": pages, "nice": _NICE}
    return _carry_out(act_paths, settings.act(act_paths.name), task, patience).judge()


def _missing(act_paths: ActPaths, file: VassalFile) -> str:
    """What the file names and that does not exist any more; '' if nothing."""

    def read() -> str:
        script = includes.read_all(act_paths.venue, act_paths.vassal, file.text)
        return str(premises.missing(act_paths, script) or "")

    return str(as_user.run_as(users.stand_in(act_paths.venue.top), read))


def _task(act_paths: ActPaths, file: VassalFile) -> dict[str, Any] | None:
    """What the program is to load, read with the rights of the Venue's owner; None if unknown."""

    def read() -> dict[str, Any] | None:
        script = includes.read_all(act_paths.venue, act_paths.vassal, file.text)
        found = application(act_paths.venue, script, _environment(act_paths))
        python = found.home / "bin" / "python" if found else Path()
        if found is None or not python.exists():
            return None
        fixed = {script.value(line).partition("=")[0] for line in script.all("env", "unenv")}
        added = {name: value for name, value in variables(act_paths).items() if name not in fixed}
        return {
            **{"python": str(python), "directory": str(found.directory), "file": found.file},
            **{"module": found.module, "callable": found.callable, "paths": found.paths},
            "environment": {**found.environment, **added, "BACKSTAGE_CHECK": "1"},
        }

    task = as_user.run_as(users.stand_in(act_paths.venue.top), read)
    return task if isinstance(task, dict) else None


def _environment(act_paths: ActPaths) -> dict[str, str]:
    """The environment of the Act's uWSGI; an older `templates/launch` does not record it."""
    try:
        recorded = os.fsdecode(contents(act_paths.environment))
    except OSError:
        return {
            **(programs.at_home(_inherited(act_paths), launch.uid_of(act_paths)) or {}),
            "BACKSTAGE_RUN": str(act_paths.stats.parent),
            "BACKSTAGE_LOG": str(act_paths.log.parent),
        }
    pairs = (entry.split("=", 1) for entry in recorded.split("\0") if "=" in entry)
    return {name: value for name, value in pairs if name and not name.startswith(_FOREIGN)}


def _inherited(act_paths: ActPaths) -> dict[str, str]:
    top = act_paths.venue.top
    return {**programs.service_environment(top), "BACKSTAGE_VENUE": str(top)}


def _check(act_paths: ActPaths, settings: Settings, file: VassalFile) -> HealthCheck:
    check = check_of(act_paths, settings)
    is_set = settings.act(act_paths.name).health is not None
    # Here, a request needs no socket that speaks HTTP.
    return check if check or is_set or speaks_http(file) else _FIRST_PAGE


def _pages(check: HealthCheck) -> list[dict[str, Any]]:
    """The pages to ask for: a health check by a command would ask the Act that runs."""
    if not check:
        return []
    asked = [check] if check.path else []
    if check.path != _FIRST_PAGE.path:
        asked.append(_FIRST_PAGE)
    return [{"path": page.path, "status": page.status, "text": page.text} for page in asked]


def _carry_out(
    act_paths: ActPaths, settings: ActSettings, task: Mapping[str, Any], patience: float
) -> Report:
    """Run the program with the Act's user and limits."""
    group = _group(act_paths, task["environment"])
    limits = launch.group_limits(settings.limits)
    reserved = (settings.limits.memory or 0) * _RESERVED_PER_USED

    def given(pid: int) -> bytes:
        is_limited = group is not None and group.take_in(pid, limits)
        return json.dumps({**task, "memory": 0 if is_limited else reserved}).encode()

    try:
        ended = run_apart(
            [task["python"], *ask.words("trial")],
            given,
            env=programs.service_environment(act_paths.venue.top),
            uid=launch.uid_of(act_paths),
            gains=not settings.run_as,
            patience=patience,
        )
        return Report(
            act=act_paths.name,
            word=task["word"],
            paths=[page["path"] for page in task["pages"]],
            output=ended.output,
            status=ended.status,
            starved=group is not None and group.ran_out_of_memory,
            patience=patience,
        )
    finally:
        if group:
            group.end()


def _group(act_paths: ActPaths, environment: Mapping[str, str]) -> ControlGroup | None:
    """A control group beside those of the Acts; root does not follow what another user names."""
    above = environment.get("BACKSTAGE_GROUP", "")
    if not above.startswith(_GROUPS) or users.stand_in(act_paths.venue.top) is not None:
        return None
    return ControlGroup(Path(above) / f"check-{act_paths.name}")
