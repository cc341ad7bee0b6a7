"""Reports what a project's settings are when they are loaded, or where and why they are not.

It changes nothing. The arguments are the word that marks the answer, and the paths that may tell
whether the project is well. A child process loads the project: whatever that prints, starts or
ends, this one answers, and leaves nothing of it behind.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib.util
import json
import os
import signal
import sys
import traceback
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_LONGEST = 2_000
_MOST_OUTPUT = 8_000
_MOST_VARIABLES = 1_000
# How far from the settings a library may look up a variable for them.
_FARTHEST = 40
# The names of pages to log in, in Django and in what is widely used with it.
_LOGINS = ("login", "account_login", "admin:login", "wagtailadmin_login")
# In seconds; a server that is not there may not answer at all.
_CONNECT = 5


class Lookups:
    """The environment variables that the project itself looks up, in the order of the lookups."""

    def __init__(self, homes: tuple[str, ...]) -> None:
        self._homes = homes
        self.names: dict[str, None] = {}

    def begin(self) -> None:
        note = self._note

        class Noted(type(os.environ)):  # type: ignore[misc]
            def __getitem__(self, key: Any) -> Any:
                note(key)
                return super().__getitem__(key)

        os.environ.__class__ = Noted

    @property
    def missing(self) -> list[str]:
        return [name for name in self.names if name.encode() not in os.environb]

    def named_in(self, message: str) -> str:
        """The missing variable that an error is about, as far as can be told."""
        words = message.replace("'", " ").replace('"', " ").replace(".", " ").split()
        named = [name for name in self.missing if name in words]
        # An empty setting is mostly one whose variable has a name that ends so.
        alike = [name for name in self.missing for word in words if _is_like(name, word)]
        return [*named, *alike, ""][0]

    def _note(self, key: object) -> None:
        if isinstance(key, str) and len(self.names) < _MOST_VARIABLES and self._is_asked():
            self.names[key[:200]] = None

    def _is_asked(self) -> bool:
        """Whether the project looks it up, and not a library that is only being imported."""
        frame: Any = sys._getframe(3)
        for _ in range(_FARTHEST):
            if frame is None or frame.f_code.co_filename.startswith("<frozen importlib"):
                return False
            if is_of(frame.f_code.co_filename, self._homes):
                return True
            frame = frame.f_back
        return False


def _is_like(name: str, word: str) -> bool:
    return len(word) > 3 and word.isupper() and name.endswith(f"_{word}")


def is_of(file: str, homes: tuple[str, ...]) -> bool:
    """Whether a file is one of the project's, and not installed within it."""
    home = next((home for home in homes if file.startswith(f"{home}/")), None)
    return home is not None and "site-packages" not in file[len(home) :]


def homes_of(module: str) -> tuple[str, ...]:
    """The working directory, and the package of the settings if it is somewhere else."""
    found = [str(Path.cwd())]
    with contextlib.suppress(Exception):
        spec = importlib.util.find_spec(module.partition(".")[0])
        found += list((spec and spec.submodule_search_locations) or [])
    return tuple(found)


def trouble(stage: str, error: BaseException, lookups: Lookups, homes: tuple[str, ...]) -> Any:
    """What an exception tells, and the place in the project that it comes from."""
    file, line = place_of(error, homes)
    if isinstance(error, SyntaxError) and error.filename:
        file, line = error.filename, error.lineno
    message = text_of(error)
    return {
        **{"stage": stage, "type": type(error).__name__, "message": message},
        **{"file": file, "line": line or 0, "variable": lookups.named_in(message)},
    }


def place_of(error: BaseException, homes: tuple[str, ...]) -> tuple[str, Any]:
    """The last place in the project that an exception went through, else where it was raised."""
    frames = traceback.extract_tb(error.__traceback__)
    seen = [frame for frame in frames if not frame.filename.startswith("<frozen")]
    near = [frame for frame in seen if is_of(frame.filename, homes)] or seen
    return (near[-1].filename, near[-1].lineno) if near else ("", 0)


def text_of(error: BaseException) -> str:
    try:
        return str(error)[:_LONGEST]
    except BaseException:  # noqa: BLE001 - it is the project's
        return ""


# The parts of the answer


def plain(settings: Any) -> dict[str, Any]:
    """What the settings say by themselves."""

    def text(name: str) -> str:
        return str(getattr(settings, name, None) or "")

    storages = getattr(settings, "STORAGES", None) or {}
    storage = (storages.get("staticfiles") or {}).get("BACKEND") or text("STATICFILES_STORAGE")
    middleware = [str(each) for each in getattr(settings, "MIDDLEWARE", None) or ()]
    return {
        **{"wsgi": text("WSGI_APPLICATION"), "asgi": text("ASGI_APPLICATION")},
        **{"urls": text("ROOT_URLCONF"), "debug": bool(settings.DEBUG)},
        **{"static_url": text("STATIC_URL"), "static_root": text("STATIC_ROOT")},
        **{"media_url": text("MEDIA_URL"), "media_root": text("MEDIA_ROOT")},
        "static_dirs": [_directory(each) for each in getattr(settings, "STATICFILES_DIRS", ())],
        "static_storage": str(storage),
        "whitenoise": any("whitenoise" in each.lower() for each in [*middleware, str(storage)]),
        "apps": [str(each) for each in getattr(settings, "INSTALLED_APPS", ())],
        "databases": [database(alias, each) for alias, each in settings.DATABASES.items()],
    }


def _directory(entry: Any) -> str:
    """A directory of static files, which may come with a prefix for URLs."""
    return str(entry[1] if isinstance(entry, (list, tuple)) else entry)


def database(alias: str, told: Any) -> dict[str, Any]:
    engine, name = str(told.get("ENGINE") or ""), str(told.get("NAME") or "")
    is_file = "sqlite" in engine or "spatialite" in engine
    return {
        **{"alias": str(alias), "engine": engine, "name": name},
        **{"host": str(told.get("HOST") or ""), "port": str(told.get("PORT") or "")},
        "file": file_of(name) if is_file else "",
    }


def file_of(name: str) -> str:
    """The file of an SQLite database; '' if it lies in memory."""
    if name.startswith("file:"):
        uri = urllib.parse.urlsplit(name)
        name = "" if "mode=memory" in uri.query else urllib.parse.unquote(uri.path)
    is_there = bool(name) and ":memory:" not in name
    return os.path.normpath(os.path.join(Path.cwd(), name)) if is_there else ""


def compressor(settings: Any) -> str:
    """'' without django-compressor; else when it compresses: `offline` or `on request`."""
    if not any(str(each).startswith("compressor") for each in settings.INSTALLED_APPS):
        return ""
    is_offline = getattr(settings, "COMPRESS_OFFLINE", False)
    return "offline" if is_offline and getattr(settings, "COMPRESS_ENABLED", True) else "on request"


def migrations(alias: str) -> dict[str, Any]:
    """How many migrations a database lacks, of those that the project's routers want there."""
    from django.db import connections, router
    from django.db.migrations.executor import MigrationExecutor

    connection = connections[alias]
    read_only(connection)
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    pending = [each for each, _ in plan if router.allow_migrate(alias, each.app_label)]
    first = str(pending[0]) if pending else ""
    is_migrated = executor.recorder.has_table()
    return {"pending": len(pending), "first": first, "is_migrated": is_migrated}


def read_only(connection: Any) -> None:
    """Keep SQLite from writing any file, and do not wait long for a server."""
    told = connection.settings_dict
    file = file_of(str(told["NAME"])) if connection.vendor == "sqlite" else ""
    if connection.vendor == "sqlite":
        # Without a WAL, nobody is using the database.
        how = "mode=ro" if os.path.exists(f"{file}-wal") else "immutable=1"
        uri = f"file:{urllib.parse.quote(file)}?{how}"
        told["NAME"] = uri if file and os.path.exists(file) else ":memory:"
        told["OPTIONS"] = {}
    elif connection.vendor in ("postgresql", "mysql"):
        told["OPTIONS"] = {"connect_timeout": _CONNECT, **(told.get("OPTIONS") or {})}


def has_page(path: str) -> bool:
    """Whether the project has a page at just this path, not only a pattern for anything."""
    from django.urls import Resolver404, resolve

    try:
        route = resolve(path).route
    except Resolver404:
        return False
    return bool(route.replace("^", "").replace("$", "").strip("/") == path.strip("/"))


def health(paths: tuple[str, ...]) -> list[str]:
    """The paths that the project has pages for, with or without a slash at the end."""
    return [
        next(filter(has_page, both))
        for path in paths
        if any(map(has_page, both := (f"/{path}", f"/{path}/")))
    ]


def login(settings: Any) -> str:
    """The path of a page to log in; '' if there is none on this site."""
    from django.shortcuts import resolve_url
    from django.urls import NoReverseMatch, reverse

    path = str(urllib.parse.urlsplit(resolve_url(settings.LOGIN_URL)).path)
    found = [path] if has_page(path) else []
    for name in _LOGINS:
        with contextlib.suppress(NoReverseMatch):
            found.append(str(reverse(name)))
    return next(iter(found), "")


class Examination:
    """What is found out about the project, step by step."""

    def __init__(self, module: str) -> None:
        self._homes = homes_of(module)
        self._lookups = Lookups(self._homes)
        self.told: dict[str, Any] = {"errors": {}}

    def run(self, paths: tuple[str, ...]) -> None:
        """Tell all that can be told; ends at the first step that all others need."""
        steps = (self._django, self._settings, self._secret_key, self._apps)
        if all(map(self._succeeds, steps)):
            self._parts(paths)
        self.told["variables"] = list(self._lookups.names)
        self.told["missing"] = self._lookups.missing

    def _succeeds(self, step: Callable[[], None]) -> bool:
        try:
            step()
        except BaseException as error:  # noqa: BLE001 - a project may raise anything
            stage = step.__name__.strip("_")
            self.told["trouble"] = trouble(stage, error, self._lookups, self._homes)
            return False
        return True

    def _django(self) -> None:
        import django
        import django.conf

        self.told["django"] = django.get_version()
        self.told["python"] = ".".join(map(str, sys.version_info[:3]))

    def _settings(self) -> None:
        from django.conf import settings

        self._lookups.begin()
        if os.environ.get("DJANGO_CONFIGURATION"):
            importlib.import_module("configurations").setup()
        self.told.update(plain(settings))

    def _secret_key(self) -> None:
        """Django refuses an empty one only when it is used."""
        from django.conf import settings

        str(settings.SECRET_KEY)

    def _apps(self) -> None:
        import django

        django.setup()

    def _parts(self, paths: tuple[str, ...]) -> None:
        from django.conf import settings

        self.told["compressor"] = self._part("compressor", compressor, settings)
        for each in self.told["databases"]:
            each.update(self._part(f"database {each['alias']}", migrations, each["alias"]) or {})
        self.told["health"] = self._part("urls", health, paths)
        self.told["login"] = self._part("login", login, settings)

    def _part(self, name: str, part: Callable[[Any], Any], argument: Any) -> Any:
        """The result of a part; if it fails, its error is told instead."""
        try:
            return part(argument)
        except BaseException as error:  # noqa: BLE001 - as above
            lines = text_of(error).strip().splitlines() or [""]
            self.told["errors"][name] = f"{type(error).__name__}: {lines[0]}"
            return None


# The two processes


def examine(answer: int, output: int, paths: tuple[str, ...]) -> None:
    """The child process; never returns, so that no hook or thread of the project goes on."""
    try:
        for stream in (1, 2):
            os.dup2(output, stream)
        child = os.getpid()
        examination = Examination(os.environ.get("DJANGO_SETTINGS_MODULE", ""))
        examination.run(paths)
        if os.getpid() == child:
            os.write(answer, json.dumps(examination.told).encode())
    finally:
        with contextlib.suppress(BaseException):
            sys.stdout.flush()
        os._exit(0)


def end_everybody() -> None:
    """Kill all that the child has started, until nothing is left."""
    with contextlib.suppress(ChildProcessError):
        while True:
            for pid in children():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            os.waitpid(-1, 0)


def children() -> Iterator[int]:
    with open(f"/proc/self/task/{os.getpid()}/children") as pids:
        yield from map(int, pids.read().split())


def whole(descriptor: int) -> str:
    size = os.fstat(descriptor).st_size
    return os.pread(descriptor, size, 0).decode(errors="replace")


def main(word: str, *paths: str) -> None:
    libc = ctypes.CDLL(None)
    libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    answer, output = os.memfd_create("answer"), os.memfd_create("output")
    child = os.fork()
    if child == 0:
        libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
        examine(answer, output, paths)
    _, ended = os.waitpid(child, 0)
    end_everybody()
    status = os.WEXITSTATUS(ended) if os.WIFEXITED(ended) else -os.WTERMSIG(ended)
    told = whole(answer) or json.dumps({"ended": status, "output": whole(output)[-_MOST_OUTPUT:]})
    print("\n" + word + told, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
