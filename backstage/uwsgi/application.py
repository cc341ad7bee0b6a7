"""The Python application that a vassal's workers load, as far as its file tells without uWSGI."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ..layout.paths import VenuePaths
from .includes import Line, Script

_MODULES = ("module", "wsgi")
_FILES = ("wsgi-file", "file")
_HOMES = ("virtualenv", "home", "venv", "pyhome")
_PATHS = ("pythonpath", "python-path", "pp")
_NAME = re.compile(r"[^\W\d]\w*")
_MODULE = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")
_CALLABLE = re.compile(r"[^\W\d]\w*(\(\))?")
_VARIABLE = re.compile(r"\$\(([^)]+)\)")
# With these, uWSGI loads something else, elsewhere, or as somebody else.
_BEYOND = (
    *("mount", "wsgi-lite", "eval", "paste", "pecan", "pump", "python-raw", "chdir2"),
    *("pymodule-alias", "post-pymodule-alias", "python-worker-override", "no-site", "unshare"),
    *("chroot", "pivot-root", "pivot_root", "uid", "setuid", "gid", "setgid"),
)


@dataclass(frozen=True)
class Application:
    """What a worker loads: a `module` or, if that is '', a `file`; and the name of its callable.

    `home` is the virtual environment, `paths` are put before `sys.path`, one after the other.
    `environment` is the complete environment of the worker.
    """

    home: Path
    directory: Path
    module: str
    file: str
    callable: str
    paths: tuple[str, ...]
    environment: Mapping[str, str]


def application(
    venue_paths: VenuePaths, script: Script, environment: Mapping[str, str]
) -> Application | None:
    """The application of a vassal that uWSGI starts with this environment.

    None if there is none, or if only uWSGI can tell which one.
    """
    if script.branches or script.all(*_BEYOND) or any(_is_hidden(line) for line in script.lines):
        return None
    try:
        return _Reading(venue_paths.vassals, script, environment).application(venue_paths.top)
    except _Unknown:
        return None


class _Unknown(Exception):
    """Raised when only uWSGI knows a value."""


@dataclass(frozen=True)
class _Reading:
    vassals: Path
    script: Script
    outer: Mapping[str, str]

    def application(self, top: Path) -> Application | None:
        module, file = self.last(*_MODULES), self.last(*_FILES)
        if bool(module) == bool(file):
            return None
        directory = Path(os.path.normpath(self.vassals / self.last("chdir")))
        name, _, called = module.partition(":")
        called = called or self.last("callable") or "application"
        if not _CALLABLE.fullmatch(called) or (module and not _MODULE.fullmatch(name)):
            return None
        return Application(
            home=Path(os.path.normpath(directory / (self.last(*_HOMES) or top))),
            directory=directory,
            module=name,
            file=os.path.normpath(directory / file) if file else "",
            callable=called,
            paths=tuple(self.value(line) for line in self.script.all(*_PATHS)),
            environment=self.environment(),
        )

    def environment(self) -> dict[str, str]:
        known = dict(self.outer)
        for line in self.script.all("env", "unenv"):
            name, sign, value = self.value(line).partition("=")
            if line.key == "unenv" or not sign:
                known.pop(name, None)
            else:
                known[name] = value
        return known

    def last(self, *keys: str) -> str:
        line = self.script.last(*keys)
        return self.value(line) if line else ""

    def value(self, line: Line) -> str:
        """The value of a line. Raises _Unknown."""
        filled = self.script.value(line)
        told = _VARIABLE.sub(lambda match: self.outer.get(match[1], ""), filled)
        known = replace(line, value=told)
        if not self.script.knows(known) or self.script.unset(known):
            raise _Unknown
        return told


def _is_hidden(line: Line) -> bool:
    return bool(line.unread) or line.hides
