"""The environments that Venues are copied from: Django, and a uWSGI linked with the right Python.

The source is the environment that this library runs in or, for another Python, one that is built
once and cached. Only that build needs a package index and a compiler, so uWSGI is never compiled
twice for one interpreter.
"""

from __future__ import annotations

import hashlib
import json
import os
import sysconfig
import tempfile
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import EnvironmentFailed
from ..layout import registry
from ..system import lazy, programs
from ..system.files import remove_tree, write_atomically
from ..system.locks import locked
from . import copying, tools
from .interpreters import Interpreter, current
from .versions import series_of

if TYPE_CHECKING:
    from . import distributions
else:
    distributions = lazy.module("backstage.virtualenvs.distributions")

# The scaffold's settings read their environment with django-environ.
_BASE = ("Django", "django-environ")
_PROGRAM = "../../../bin/uwsgi"
_MISSING_IN_PYUWSGI = "TLS, signed subscriptions, capabilities and the legion"
_SMOKE = "import math, sqlite3, sys\nprint('runs', repr(sys.version))\n"


class PyuwsgiWarning(UserWarning):
    """Issued when a Venue gets the prebuilt uWSGI because none could be compiled."""


@dataclass(frozen=True)
class ReadyEnvironment:
    """An environment to copy from; the paths in `files` are relative to its `site_packages`.

    `uwsgi` is the distribution that provides uWSGI there, `django` the version of Django.
    """

    site_packages: str
    files: list[str]
    uwsgi: str
    django: str

    def files_of_uwsgi(self) -> list[str]:
        """Those of its files that are uWSGI's."""
        own = distributions.Library(Path(self.site_packages)).files_of([self.uwsgi]) or []
        return [*own, *([_PROGRAM] if self.uwsgi == "uwsgi" and _PROGRAM not in own else [])]

    def put_uwsgi(self, top: Path, interpreter: Interpreter) -> None:
        """Copy uWSGI into an environment of this interpreter, in place of what is there.

        Raises OSError.
        """
        site_packages, files = interpreter.site_packages(top), self.files_of_uwsgi()
        for name in files:
            # A program that runs cannot be written to, and a library must not be.
            Path(os.path.normpath(site_packages / name)).unlink(missing_ok=True)
        copying.copy(files, Path(self.site_packages), top, site_packages)
        if self.uwsgi == "pyuwsgi":
            _write_shim(top)

    def fill(self, top: Path, interpreter: Interpreter) -> None:
        """Make `top` a virtual environment with a copy of these files.

        Raises EnvironmentFailed or OSError; then the caller has to remove what was created.
        """
        site_packages = interpreter.site_packages(top)
        # In parallel: one mostly waits for the disk, the other uses the CPU.
        with tools.making(top, interpreter):
            copying.copy(self.files, Path(self.site_packages), top, site_packages)
        if self.uwsgi == "pyuwsgi":
            _write_shim(top)
        if not any(site_packages.glob("django/__pycache__/*.pyc")):
            tools.compile_bytecode(top, site_packages)


def find(interpreter: Interpreter) -> ReadyEnvironment:
    """The environment to copy from for this interpreter; builds one if there is none yet.

    Raises EnvironmentFailed.
    """
    source = _own(interpreter) or _cached(interpreter)
    if source.uwsgi == "pyuwsgi":
        warnings.warn(
            f"using the prebuilt pyuwsgi, which lacks {_MISSING_IN_PYUWSGI}; for a complete uWSGI, "
            "install gcc, python3-dev, libssl-dev, libpcre2-dev and libcap-dev, then remove "
            f"{_cache_of(interpreter)}",
            PyuwsgiWarning,
            stacklevel=2,
        )
    return source


def _own(interpreter: Interpreter) -> ReadyEnvironment | None:
    """The environment that this library runs in, if it is suitable."""
    if interpreter != current():
        return None
    source = _source_in(Path(sysconfig.get_path("purelib")), interpreter)
    return source if source and _is_newest_series(source.django, interpreter) else None


def _cached(interpreter: Interpreter) -> ReadyEnvironment:
    """The cached environment for this interpreter; builds it if there is none yet."""
    top = _cache_of(interpreter)
    complete = top / "complete"
    if not complete.exists():
        with locked(top.with_suffix(".lock"), f"building uWSGI for {interpreter.executable}"):
            if not complete.exists():
                remove_tree(top)
                _build(top, interpreter)
                write_atomically(complete, f"{interpreter.build}\n")
    source = _source_in(interpreter.site_packages(top), interpreter)
    if source is None:
        raise EnvironmentFailed(f"{top} is damaged; remove it and try again")
    return source


def _build(top: Path, interpreter: Interpreter) -> None:
    top.mkdir(mode=0o700, parents=True)
    with tools.making(top, interpreter):
        pass
    tools.install_newest(top, [f"Django~={_django_series(interpreter)}", *_BASE[1:]])
    if not tools.compile_uwsgi(top):
        tools.install_newest(top, ["pyuwsgi"])


def _source_in(site_packages: Path, interpreter: Interpreter) -> ReadyEnvironment | None:
    """An environment as a source to copy from; None if it lacks anything that a Venue needs.

    The check takes a tenth of a second, so its result is cached. Installing and uninstalling
    change the directory's mtime, which invalidates the cached result.
    """
    identity = f"{site_packages}\0{site_packages.stat().st_mtime_ns}\0{interpreter.key}"
    name = hashlib.sha256(identity.encode()).hexdigest()[:32]
    note = registry.cache_directory() / "sources" / f"{name}.json"
    if note.exists():
        return ReadyEnvironment(**json.loads(note.read_text()))
    source = _examine(site_packages)
    if source is None or not _runs(source, interpreter):
        return None
    note.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_atomically(note, json.dumps(asdict(source)), mode=0o600)
    return source


def _examine(site_packages: Path) -> ReadyEnvironment | None:
    library = distributions.Library(site_packages)
    uwsgi = "uwsgi" if library.get("uwsgi") else "pyuwsgi"
    files = library.files_of([*_BASE, uwsgi])
    if files and uwsgi == "uwsgi" and _PROGRAM not in files:
        # uWSGI's setup.py installs the program without listing it in RECORD.
        files.append(_PROGRAM)
    django = library.get("django")
    return (
        ReadyEnvironment(str(site_packages), files, uwsgi, django.version)
        if files and django
        else None
    )


def _runs(source: ReadyEnvironment, interpreter: Interpreter) -> bool:
    """Whether that uWSGI runs exactly this Python; a wrong one starts too, and fails later."""
    if source.uwsgi == "pyuwsgi":
        return True
    home = Path(source.site_packages).parents[2]
    virtualenv = ["--virtualenv", str(home)] if (home / "pyvenv.cfg").exists() else []
    with tempfile.TemporaryDirectory() as scratch:
        smoke = Path(scratch) / "smoke.py"
        smoke.write_text(_SMOKE)
        tried = programs.run(
            [home / "bin" / "uwsgi", *virtualenv, "--pyrun", smoke],
            env=programs.service_environment(home),
        )
    return f"runs {interpreter.build!r}" in tried.stdout


def _write_shim(top: Path) -> None:
    """Make pyuwsgi executable as a program, because uWSGI executes itself again on a reload."""
    script = top / "bin" / "_pyuwsgi"
    write_atomically(script, "from pyuwsgi import run\n\nrun()\n")
    write_atomically(
        top / "bin" / "uwsgi-shim",
        f'#!/bin/sh\n[ "$1" = "{script}" ] && shift\nexec "{top}/bin/python" "{script}" "$@"\n',
        mode=0o755,
    )


def _django_series(interpreter: Interpreter) -> str:
    """The first release of the newest Django series that supports this Python."""
    return "6.0" if interpreter.version >= (3, 12) else "5.2"


def _is_newest_series(version: str, interpreter: Interpreter) -> bool:
    return series_of(version) >= series_of(_django_series(interpreter))


def _cache_of(interpreter: Interpreter) -> Path:
    return registry.cache_directory() / "environments" / interpreter.key
