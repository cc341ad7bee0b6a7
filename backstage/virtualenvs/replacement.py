"""Another interpreter for an environment whose own is gone: a newer release, or on another host."""

from __future__ import annotations

import re
from pathlib import Path

from ..errors import EnvironmentFailed
from . import cache, interpreters, tools
from .interpreters import Interpreter

_SERIES = re.compile(r"^version(?:_info)? *= *(\d+\.\d+)", re.MULTILINE)


def is_needed(top: Path) -> bool:
    """Whether the environment's Python is a link to one that is gone."""
    python = top / "bin" / "python"
    return python.is_symlink() and not python.exists()


def find(top: Path) -> Interpreter:
    """A Python of the same series, whose modules the installed ones are for.

    Raises EnvironmentFailed if this host has none.
    """
    configuration = top / "pyvenv.cfg"
    found = _SERIES.search(configuration.read_text()) if configuration.exists() else None
    if not found:
        raise EnvironmentFailed(f"{configuration} does not tell which Python it was made with")
    return interpreters.find(found[1])


def replace(top: Path, interpreter: Interpreter) -> None:
    """Have the environment run this Python, with a uWSGI that was built for it.

    What was installed stays. Raises EnvironmentFailed; it can be repeated then.
    """
    source = cache.find(interpreter)
    with tools.making(top, interpreter, seeded=False):
        pass
    source.put_uwsgi(top, interpreter)
