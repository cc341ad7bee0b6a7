"""Building the virtual environment of a Venue, with Django and a uWSGI that runs its Python.

The fast way is a copy from an environment that holds both already: this library's own, or one
that is built once for each interpreter and kept in the cache. Only building that one needs an
index and a compiler, so uWSGI is never compiled twice for one interpreter.
"""

from __future__ import annotations

import hashlib
import shutil
import sys
import sysconfig
import tempfile
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import Distribution
from pathlib import Path

from . import distributions, host, processes
from .distributions import Library
from .errors import EnvironmentFailed
from .files import remove_tree, write_atomically
from .interpreters import Interpreter, current
from .locks import locked

# The scaffold's settings read their environment with the second one.
_BASE = ("Django", "django-environ")
_MISSING_IN_PYUWSGI = "TLS, signed subscriptions, capabilities and the legion"
_SMOKE = "import math, sqlite3, sys\nprint('runs', repr(sys.version))\n"


@dataclass(frozen=True)
class Source:
    """What to copy from which environment; `uwsgi` is the distribution that brings uWSGI there."""

    site_packages: Path
    wanted: tuple[Distribution, ...]
    uwsgi: str

    @classmethod
    def at(cls, site_packages: Path) -> Source | None:
        """The source in an environment, None where that does not hold all that a Venue needs."""
        library = Library(site_packages)
        uwsgi = "uwsgi" if library.get("uwsgi") else "pyuwsgi"
        wanted = library.closure([*_BASE, uwsgi])
        if wanted is None or not all(distributions.record(each) for each in wanted):
            return None
        return cls(site_packages, tuple(wanted), uwsgi)

    def find(self, name: str) -> Distribution:
        """One of the distributions. Raises StopIteration for any other name."""
        return next(each for each in self.wanted if each.name.lower() == name)


class PyuwsgiWarning(UserWarning):
    """Given when a Venue gets the prebuilt uWSGI because none could be compiled."""


def find_source(interpreter: Interpreter) -> Source:
    """The environment to copy from for this interpreter, built now if there is none yet.

    Raises EnvironmentFailed.
    """
    source = _own(interpreter) or _cached(interpreter)
    if source.uwsgi == "pyuwsgi":
        warnings.warn(
            f"using the prebuilt pyuwsgi, which lacks {_MISSING_IN_PYUWSGI}; for all of uWSGI "
            "install gcc, python3-dev, libssl-dev, libpcre2-dev and libcap-dev, then remove "
            f"{_cache_of(interpreter)}",
            PyuwsgiWarning,
            stacklevel=2,
        )
    return source


def create(top: Path, interpreter: Interpreter, source: Source) -> None:
    """Make `top` a virtual environment of `interpreter`, filled from `source`.

    Raises EnvironmentFailed or OSError; what was made until then is left to the caller to remove.
    """
    site_packages = _site_packages(top, interpreter)
    # Side by side: one waits for the disk where the other wants the processor.
    with _start_virtualenv(top, interpreter) as making:
        distributions.copy(source.wanted, source.site_packages, top, site_packages)
        _finish_virtualenv(top, making)
    _write_shim(top, site_packages)
    if not any(site_packages.glob("django/__pycache__/*.pyc")):
        processes.run([top / "bin" / "python", "-m", "compileall", "-q", "-j0", site_packages])


def install(top: Path, requirements: Sequence[str] | Path) -> None:
    """Install what a requirements file or a list of requirements asks for.

    From uv's cache where that suffices, else from the index. Raises EnvironmentFailed.
    """
    if isinstance(requirements, Path):
        if not requirements.is_file():
            raise EnvironmentFailed(f"there is no requirements file {requirements}")
        _uv_install(top, ["-r", str(requirements)], offline_first=True)
    elif requirements:
        _uv_install(top, list(requirements), offline_first=True)


def _own(interpreter: Interpreter) -> Source | None:
    """The environment that this library runs in, where it will do."""
    if interpreter != current():
        return None
    source = Source.at(Path(sysconfig.get_path("purelib")))
    if source is None or not _is_newest_series(source.find("django").version, interpreter):
        return None
    return source if source.uwsgi == "pyuwsgi" or _runs(source, interpreter) else None


def _runs(source: Source, interpreter: Interpreter) -> bool:
    """Whether that uWSGI really runs that Python; a wrong one starts all the same and fails later.

    What was found good is noted in the cache and not tried again.
    """
    program = distributions.program_file(source.find("uwsgi"), source.site_packages, "uwsgi")
    if program is None:
        return False
    facts = program.stat()
    identity = f"{program}\0{facts.st_size}\0{facts.st_mtime_ns}\0{interpreter.key}"
    note = host.cache_directory() / "checked" / hashlib.sha256(identity.encode()).hexdigest()
    if note.exists():
        return True
    home = source.site_packages.parents[2]
    note.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        smoke = Path(scratch) / "smoke.py"
        smoke.write_text(_SMOKE)
        virtualenv = ["--virtualenv", str(home)] if (home / "pyvenv.cfg").exists() else []
        tried = processes.run(
            [program, *virtualenv, "--pyrun", smoke], env=processes.service_environment(home)
        )
    runs = f"runs {interpreter.build!r}" in tried.stdout
    if runs:
        write_atomically(note, f"{program}\n")
    return runs


def _cached(interpreter: Interpreter) -> Source:
    """The environment kept for this interpreter, made now if it is not there."""
    top = _cache_of(interpreter)
    complete = top / "complete"
    if not complete.exists():
        with locked(top.with_suffix(".lock"), f"building uWSGI for {interpreter.executable}"):
            if not complete.exists():
                remove_tree(top)
                _build(top, interpreter)
                write_atomically(complete, f"{interpreter.build}\n")
    source = Source.at(_site_packages(top, interpreter))
    if source is None:
        raise EnvironmentFailed(f"{top} was damaged; remove it and call again")
    return source


def _build(top: Path, interpreter: Interpreter) -> None:
    top.mkdir(mode=0o700, parents=True)
    with _start_virtualenv(top, interpreter) as making:
        _finish_virtualenv(top, making)
    _uv_install(top, [f"Django~={_django_series(interpreter)}", *_BASE[1:]], offline_first=False)
    if not _compile_uwsgi(top):
        _uv_install(top, ["pyuwsgi"], offline_first=False)


def _compile_uwsgi(top: Path) -> bool:
    if not any(shutil.which(compiler) for compiler in ("cc", "gcc", "clang")):
        return False
    # Not from pip's cache: its wheels do not tell two builds of one Python version apart. Not by
    # uv: it would link with the flags of whichever Python came first.
    command: list[str | Path] = [top / "bin" / "python", "-m", "pip", "install", "--no-cache-dir"]
    return processes.run([*command, "uwsgi"], env=processes.tool_environment()).returncode == 0


def _start_virtualenv(top: Path, interpreter: Interpreter) -> processes.Started:
    # In a process of its own, as importing virtualenv takes longer than its work.
    return processes.start(
        [
            *(sys.executable, "-m", "virtualenv", "--python", str(interpreter.executable)),
            *("--no-download", "--no-periodic-update", "--no-setuptools", "--no-vcs-ignore"),
            top,
        ],
        cwd=top.parent,
        env=processes.tool_environment(),
    )


def _finish_virtualenv(top: Path, making: processes.Started) -> None:
    output, _ = making.communicate()
    if making.returncode:
        raise EnvironmentFailed(f"virtualenv could not make {top}", output)
    # It says "only a cache" to backup programs, which would leave the whole Venue out.
    (top / "CACHEDIR.TAG").unlink(missing_ok=True)


def _uv_install(top: Path, wanted: list[str], *, offline_first: bool) -> None:
    from uv import find_uv_bin

    command = [
        find_uv_bin(),
        *("pip", "install", "--quiet", "--python", str(top / "bin" / "python")),
        # Hard links into uv's cache would let an edit in one Venue reach all of them.
        *("--link-mode", "copy", "--compile-bytecode"),
        *wanted,
    ]
    tries = [[*command, "--offline"], command]
    outputs = []
    for attempt in tries if offline_first else reversed(tries):
        tried = processes.run(attempt, env=processes.tool_environment())
        if tried.returncode == 0:
            return
        outputs.append(tried.stdout)
    online = outputs[-1] if offline_first else outputs[0]
    raise EnvironmentFailed(
        f"cannot install {' '.join(wanted)} into {top}: neither the cache nor the package index "
        "has it, or the index cannot be reached; check the network and the names, then call again",
        online,
    )


def _write_shim(top: Path, site_packages: Path) -> None:
    """Let pyuwsgi be started over as a program: on a reload uWSGI executes itself again."""
    if not any(site_packages.glob("pyuwsgi*.so")):
        return
    script = top / "bin" / "_pyuwsgi"
    write_atomically(script, "from pyuwsgi import run\n\nrun()\n")
    write_atomically(
        top / "bin" / "uwsgi-shim",
        f'#!/bin/sh\n[ "$1" = "{script}" ] && shift\nexec "{top}/bin/python" "{script}" "$@"\n',
        mode=0o755,
    )


def _django_series(interpreter: Interpreter) -> str:
    """The first release of the newest series of Django that this Python runs."""
    return "6.0" if interpreter.version >= (3, 12) else "5.2"


def _is_newest_series(version: str, interpreter: Interpreter) -> bool:
    major, minor = (int(number) for number in _django_series(interpreter).split("."))
    given = [int(number) for number in version.split(".")[:2] if number.isdecimal()]
    return given >= [major, minor]


def _site_packages(top: Path, interpreter: Interpreter) -> Path:
    major, minor, _ = interpreter.version
    return top / "lib" / f"python{major}.{minor}" / "site-packages"


def _cache_of(interpreter: Interpreter) -> Path:
    return host.cache_directory() / "environments" / interpreter.key
