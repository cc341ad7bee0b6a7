"""What a project's own Python says about its settings, when it has loaded them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from . import ask, health_paths
from .ask import Answer, Silence
from .project import Project


@dataclass(frozen=True, kw_only=True)
class Trouble:
    """Why a project could not be loaded: an exception of `type`, and where in the project it is.

    `stage` is what was being loaded: `django`, `settings`, `secret_key` if only that is missing in
    the settings, or `apps`. `variable` is the environment
    variable that was looked up in vain, '' if none was.
    """

    stage: str
    type: str
    message: str
    file: str = ""
    line: int = 0
    variable: str = ""


@dataclass(frozen=True, kw_only=True)
class Database:
    """A database of a project; `file` is the absolute path if it is an SQLite file.

    `pending` is how many migrations it lacks of those that belong there, and `first` the first of
    them; None if that is not known. `is_migrated` tells whether any was ever applied.
    """

    alias: str
    engine: str
    name: str = ""
    host: str = ""
    port: str = ""
    file: str = ""
    pending: int | None = None
    first: str = ""
    is_migrated: bool = False


@dataclass(frozen=True, kw_only=True)
class ProjectFacts:
    """What the settings are; with a `trouble`, only what was known before it.

    `wsgi` and `asgi` are `module:callable`. `compressor` is '' without django-compressor, else
    `offline` or `on request`. `health` has the paths that tell whether the project is well, best
    first, and `login` the path of a page to log in. `variables` are the environment variables that
    the project looked up, `missing` those of them that are not set. `errors` has the reason for
    each part that could not be told, such as `database default` or `urls`.
    """

    django: str = ""
    python: str = ""
    trouble: Trouble | None = None
    debug: bool = False
    wsgi: str = ""
    asgi: str = ""
    urls: str = ""
    static_url: str = ""
    static_root: str = ""
    static_dirs: Sequence[str] = ()
    static_storage: str = ""
    whitenoise: bool = False
    compressor: str = ""
    media_url: str = ""
    media_root: str = ""
    databases: Sequence[Database] = ()
    apps: Sequence[str] = ()
    health: Sequence[str] = ()
    login: str = ""
    variables: Sequence[str] = ()
    missing: Sequence[str] = ()
    errors: Mapping[str, str] = field(default_factory=dict)


def facts_of(project: Project, health: Sequence[str] = ()) -> ProjectFacts | Silence:
    """Load a project's settings in its own Python, and tell what they are.

    `health` are paths to look for before those that are known.
    """
    paths = dict.fromkeys([*(each.strip("/") for each in health), *health_paths.KNOWN])
    told = ask.answer_of(project, "facts", *paths)
    if isinstance(told, Silence):
        return told
    if "ended" in told:
        return Silence(_number(told, "ended"), _text(told, "output"))
    return _read(project, told)


def _read(project: Project, told: Answer) -> ProjectFacts:
    """The facts in an answer, which is the project's: anything may be in it."""
    errors = _table(told, "errors")
    texts = ("django", "python", "urls", "static_url", "static_root", "static_storage")
    more = ("compressor", "media_url", "media_root", "login")
    lists = ("static_dirs", "apps", "health", "variables", "missing")
    return ProjectFacts(
        **{name: _text(told, name) for name in (*texts, *more)},
        **{name: _texts(told, name) for name in lists},  # type: ignore[arg-type]
        trouble=_trouble(project, _table(told, "trouble")),
        debug=told.get("debug") is True,
        whitenoise=told.get("whitenoise") is True,
        wsgi=_application(_text(told, "wsgi")),
        asgi=_application(_text(told, "asgi")),
        databases=tuple(map(_database, _tables(told, "databases"))),
        errors={str(name): project.harmless(str(errors[name])) for name in errors},
    )


def _trouble(project: Project, told: Answer) -> Trouble | None:
    if not told:
        return None
    return Trouble(
        stage=_text(told, "stage"),
        type=_text(told, "type"),
        message=project.harmless(_text(told, "message")),
        file=_text(told, "file"),
        line=_number(told, "line") or 0,
        variable=_text(told, "variable"),
    )


def _database(told: Answer) -> Database:
    texts = ("alias", "engine", "name", "host", "port", "file", "first")
    return Database(
        **{name: _text(told, name) for name in texts},
        pending=_number(told, "pending"),
        is_migrated=told.get("is_migrated") is True,
    )


def _application(dotted: str) -> str:
    """`shop.wsgi.application` as uWSGI wants it."""
    module, _, name = dotted.rpartition(".")
    return f"{module}:{name}" if module else ""


def _text(told: Answer, name: str) -> str:
    value = told.get(name)
    return value if isinstance(value, str) else ""


def _number(told: Answer, name: str) -> int | None:
    value = told.get(name)
    return value if isinstance(value, int) else None


def _list(told: Answer, name: str) -> list[Any]:
    value = told.get(name)
    return value if isinstance(value, list) else []


def _texts(told: Answer, name: str) -> tuple[str, ...]:
    return tuple(each for each in _list(told, name) if isinstance(each, str))


def _tables(told: Answer, name: str) -> list[Answer]:
    return [each for each in _list(told, name) if isinstance(each, dict)]


def _table(told: Answer, name: str) -> Answer:
    value = told.get(name)
    return value if isinstance(value, dict) else {}
