"""Examining the Django projects of Acts, each in one Python of its own that changes nothing."""

from __future__ import annotations

import json
import re
import secrets
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from ..layout.paths import ActPaths
from ..system import programs, users
from ..uwsgi import includes, log_reasons, vassal_files
from ..uwsgi.includes import Script
from .dotenv import DotEnv
from .masking import secrets_in, veiled

# Projects that are examined side by side; more would only wait for the processor.
_AT_ONCE = 2
_PATIENCE = 30.0
# It tells its findings on a line that begins with a word which nobody else knows. Keys are only
# told apart by it, as a digest with that word is good for nothing else. SQLite is read so that no
# file changes or comes about: without its log beside it, a database can be read as one that rests.
_EXAMINE = """
import hashlib, json, os, sys, urllib.parse
word = sys.argv[1]
import django
django.setup()
from django.conf import settings
from django.core.checks import run_checks
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

def debug():
    return bool(settings.DEBUG)

def tls():
    return getattr(settings, "TLS", None)

def hosts():
    return [str(host) for host in settings.ALLOWED_HOSTS]

def key():
    return hashlib.sha256(f"{word} {settings.SECRET_KEY}".encode()).hexdigest()

def messages():
    found = run_checks(include_deployment_checks=True)
    return [
        [str(each.id), each.level, str(each.msg), str(each.hint or "")]
        for each in found if not each.is_silenced()
    ]

def pending():
    if not settings.DATABASES.get("default"):
        return []
    file = str(connection.settings_dict["NAME"])
    if connection.vendor == "sqlite" and not file.startswith("file:"):
        how = "mode=ro" if os.path.exists(file + "-wal") else "immutable=1"
        uri = f"file:{urllib.parse.quote(file)}?{how}"
        connection.settings_dict["NAME"] = uri if os.path.exists(file) else ":memory:"
        connection.settings_dict["OPTIONS"] = {}
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return [str(migration) for migration, _ in plan]

told = {"django": django.get_version(), "errors": {}}
for part in (debug, tls, hosts, key, messages, pending):
    try:
        told[part.__name__] = part()
    except Exception as error:
        told["errors"][part.__name__] = f"{type(error).__name__}: {error}"
print("\\n" + word + json.dumps(told))
"""
_SETTINGS = re.compile(r"""DJANGO_SETTINGS_MODULE["']\]?\s*[,=]\s*["']([\w.]+)["']""")
_HOMES = ("virtualenv", "home", "venv", "pyhome")
_PYTHON_PATHS = ("pythonpath", "python-path", "pp")
_LOCAL = frozenset({"localhost", "127.0.0.1", "[::1]", ".localhost"})


@dataclass(frozen=True)
class Project:
    """A Django project, with the Python and the environment that its Act runs it with."""

    act: ActPaths
    directory: Path
    python: Path
    environment: Mapping[str, str]

    @property
    def name(self) -> str:
        return self.act.name

    @property
    def dotenv(self) -> str:
        """The text of its .env; '' where there is none."""
        with suppress(OSError):
            return (self.directory / ".env").read_text(errors="replace")
        return ""

    def harmless(self, text: str) -> str:
        """A text of the project's in one line, without its secrets."""
        given = "".join(f"{name}={value}\n" for name, value in self.environment.items())
        return veiled(" ".join(text.split()), secrets_in(DotEnv(f"{given}{self.dotenv}")))


@dataclass(frozen=True, kw_only=True)
class Report:
    """What a project's own Python tells; `errors` holds what it could not tell, and why."""

    django: str
    debug: bool = False
    tls: bool | None = None
    hosts: Sequence[str] = ()
    key: str = ""
    messages: Sequence[tuple[str, int, str, str]] = ()
    pending: Sequence[str] = ()
    errors: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_public(self) -> bool:
        """Whether it answers to other names than those of this machine for itself."""
        return not _LOCAL.issuperset(self.hosts)


def project_of(act_paths: ActPaths) -> Project | None:
    """The Django project that the Act's vassal file runs, if it is one."""
    file = vassal_files.load(act_paths)
    script = includes.read_all(act_paths.venue, act_paths.vassal, file.text if file else "")
    directory = _named(script, act_paths.venue.vassals, "chdir") or act_paths.top
    if not (directory / "manage.py").exists():
        return None
    home = _named(script, directory, *_HOMES) or act_paths.venue.top
    given = dict(
        script.value(line).split("=", 1)
        for line in script.all("env")
        if script.knows(line) and "=" in script.value(line)
    )
    if paths := [str(directory / value) for _, value in script.values(*_PYTHON_PATHS)]:
        given["PYTHONPATH"] = ":".join(paths)
    module = next(iter(script.values("module", "wsgi")), ("", ""))[1].partition(":")[0]
    entries = [directory / f"{module.replace('.', '/')}.py", directory / "manage.py"]
    given.setdefault(
        "DJANGO_SETTINGS_MODULE", _settings_in(entries) or f"{act_paths.name}.settings"
    )
    return Project(act_paths, directory, home / "bin" / "python", given)


def reports(projects: Iterable[Project]) -> Iterator[tuple[Project, Report | str]]:
    """What each project tells, in order, or why it tells nothing.

    Who stops iterating ends those that are under way.
    """
    # The same for all, so that their keys can be compared.
    word = secrets.token_hex(16)
    waiting = iter(projects)
    under_way = deque((each, _begin(each, word)) for each in islice(waiting, _AT_ONCE))
    try:
        while under_way:
            project, process = under_way[0]
            yield project, _reported(project, process, word)
            _end(process)
            under_way.popleft()
            under_way.extend((each, _begin(each, word)) for each in islice(waiting, 1))
    finally:
        for _, process in under_way:
            _end(process)


def _begin(project: Project, word: str) -> programs.Started:
    environment = programs.service_environment(project.act.venue.top)
    command: list[str | Path] = [project.python, "-B", "-c", _EXAMINE, word]
    env = {**environment, **project.environment}
    uid = users.stand_in(project.act.venue.top, project.act.top)
    return programs.start(command, cwd=project.directory, env=env, uid=uid)


def _reported(project: Project, process: programs.Started, word: str) -> Report | str:
    try:
        output, _ = process.communicate(timeout=_PATIENCE)
    except programs.TookTooLong:
        return f"it is not loaded after {_PATIENCE:.0f} s"
    lines = [line for line in output.splitlines() if line.startswith(word)]
    if lines:
        return Report(**json.loads(lines[-1].removeprefix(word)))
    why = log_reasons.reason_from(output) or f"its Python ended with exit code {process.returncode}"
    return project.harmless(why)


def _end(process: programs.Started) -> None:
    with process:
        process.kill()


def _settings_in(entries: Iterable[Path]) -> str:
    """The settings that the first of these names; '' where none does."""
    for entry in entries:
        with suppress(OSError):
            if found := _SETTINGS.search(entry.read_text(errors="replace")):
                return found[1]
    return ""


def _named(script: Script, base: Path, *keys: str) -> Path | None:
    """The directory that a line names, if it can be told."""
    line = script.last(*keys)
    return base / script.value(line) if line and script.knows(line) else None
