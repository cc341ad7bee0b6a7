"""The programs that a project needs beside its web processes: queue workers and schedulers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from . import python_source
from .deployment_files import Command
from .tree import Tree

# What each kind of command looks like; the first that fits counts.
_KINDS = {
    "": re.compile(
        r"\b(?:gunicorn|uvicorn|granian|daphne|hypercorn|waitress-serve|runserver\w*|flower|nginx)\b"
        r"|\b(?:migrate|collectstatic|compress|test|pytest|createsuperuser)\b"
        r"|\buwsgi\b.*(?:--|\.ini)|^(?:npm|yarn|pnpm|make|node|docker\S*)\b"
    ),
    "celery beat": re.compile(r"\bcelery\b.*\bbeat\b"),
    "celery worker": re.compile(r"\bcelery\b.*\bworker\b"),
    "huey": re.compile(r"\brun_huey\b|\bhuey_consumer\b"),
    "rq worker": re.compile(r"\brqworker(?:-pool)?\b|\brq\s+worker\b"),
    "rq scheduler": re.compile(r"\brqscheduler\b"),
    "django-q": re.compile(r"\bqcluster\b"),
    "dramatiq": re.compile(r"\b(?:run)?dramatiq\b"),
    "tasks": re.compile(r"\b(?:db_worker|process_tasks|procrastinate)\b"),
    "schedule": re.compile(r"\b(?:runapscheduler|runcrons|scheduler)\b"),
    "command": re.compile(r"\bmanage\.py\s+\w+|\bdjango-admin\s+\w+"),
}
# The applications that need such a program, and the command of each.
_APPS = {
    "huey.contrib.djhuey": ("huey", "manage.py run_huey"),
    "django_rq": ("rq worker", "manage.py rqworker"),
    "django_q": ("django-q", "manage.py qcluster"),
    "django_dramatiq": ("dramatiq", "manage.py rundramatiq"),
    "django_tasks.backends.database": ("tasks", "manage.py db_worker"),
    "django_tasks_db": ("tasks", "manage.py db_worker"),
    "background_task": ("tasks", "manage.py process_tasks"),
}
_CELERY = re.compile(r"^(\w+)\s*(?::\s*\w+\s*)?=\s*(?:celery\.)?Celery\(", re.MULTILINE)
_BEAT = re.compile(r"\b(?:CELERY_)?BEAT_SCHEDULE\b|\bbeat_schedule\b|\bCELERYBEAT_SCHEDULE\b")
_PROGRAM = re.compile(r"^(?:\S*/)?(python[\d.]*|celery|rq|huey_consumer(?:\.py)?)(?=\s)")
_MANAGE = re.compile(r"(?:\S*/)?manage\.py(?=\s)")
_USER = re.compile(r"^(?:s6-setuidgid|gosu|su-exec|chpst\s+-u)\s+\S+\s+")
_DEFAULT = re.compile(r"\$\{\w+:?-([^{}]*)\}")
_VARIABLE = re.compile(r"""\s(?:--?[\w-]+(?:=|\s+))?"?\$(?:\{[^{}]*\}|\w+)"?""")


@dataclass(frozen=True)
class Companion:
    """A program that runs beside the web processes; `file` tells that it is needed."""

    name: str
    kind: str
    command: str
    file: str


def find(
    tree: Tree, home: str, commands: Iterable[Command], settings: tuple[str, ...]
) -> tuple[Companion, ...]:
    """The companions that deployment files run; of a kind of which there is none, the code's.

    `home` is the directory of the project's modules; `settings` are the files of its settings.
    """
    run = list(_from_deployment(commands))
    kinds = {each.kind for each in run}
    needed = (each for each in _from_code(tree, home, settings) if each.kind not in kinds)
    return tuple(_each_once([*run, *needed]))


def _from_deployment(commands: Iterable[Command]) -> Iterator[Companion]:
    """The companions of each kind in the first group that has it: others would run it twice."""
    groups: dict[str, str] = {}
    for command in commands:
        kind = next((kind for kind, looks in _KINDS.items() if looks.search(command.line)), "")
        line = _without_places(command.line)
        what = _management(line) or kind
        if kind and "%(" not in line and groups.setdefault(what, command.group) == command.group:
            yield Companion(command.name, kind, line, command.file)


def _management(line: str) -> str:
    """The management command that a line runs; '' if none."""
    words = line.partition("manage.py ")[2].split()
    return words[0] if words else ""


def _without_places(line: str) -> str:
    """A command without the directories, the users and the variables that it has elsewhere."""
    line = _USER.sub("", _DEFAULT.sub(r"\1", line))
    line = _VARIABLE.sub("", _PROGRAM.sub(r"\1", line))
    line = re.sub(r"^python[\d.]*\s+(?=\S*manage\.py)", "", line)
    return _MANAGE.sub("manage.py", line)


def _from_code(tree: Tree, home: str, settings: tuple[str, ...]) -> Iterator[Companion]:
    texts = {file: tree.text(file) for file in settings}
    for app in tree.named("celery.py", "celery_app.py", "celeryconf.py", "celery_config.py"):
        code = python_source.without_comments(tree.text(app))
        if match := _CELERY.search(code):
            module = app.removesuffix(".py").removeprefix(home).strip("/").replace("/", ".")
            yield Companion("worker", "celery worker", f"celery -A {module}:{match[1]} worker", app)
            if _has_beat([code, *texts.values()]):
                yield Companion("beat", "celery beat", f"celery -A {module}:{match[1]} beat", app)
            break
    for file, text in texts.items():
        for name, (kind, command) in _APPS.items():
            if python_source.mentions(text, name):
                yield Companion("", kind, command, file)


def _has_beat(texts: list[str]) -> bool:
    return any(_BEAT.search(each) or "django_celery_beat" in each for each in texts)


def _each_once(found: list[Companion]) -> Iterator[Companion]:
    """Each command once, under a name of its own."""
    commands: set[str] = set()
    names: set[str] = set()
    for each in found:
        if each.command in commands:
            continue
        commands.add(each.command)
        name = base = _name(each)
        number = 2
        while name in names:
            name, number = f"{base}-{number}", number + 1
        names.add(name)
        yield Companion(name, each.kind, each.command, each.file)


def _name(companion: Companion) -> str:
    """A short name in letters, digits and hyphens."""
    told = companion.name or _management(companion.command) or companion.kind
    return re.sub(r"[^a-z0-9]+", "-", told.lower()).strip("-")[:40] or "companion"
