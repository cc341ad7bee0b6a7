"""The Python that a project wishes for."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from packaging.specifiers import SpecifierSet

from ..errors import EnvironmentFailed
from ..facts.command_line import join
from ..system.files import contents
from . import interpreters, toml_file
from .constraints import alternatives
from .interpreters import Interpreter

_VERSION = re.compile(r"(?:c?python-)?(?P<version>3\.\d+)(?:\.\d+)?")
_MINORS = range(16, 10, -1)


@dataclass(frozen=True)
class PythonWish:
    """Versions of Python in the words of a file; `ranges` are alternatives, as specifiers."""

    text: str
    file: Path
    ranges: tuple[str, ...]

    def allows(self, version: str) -> bool:
        return any(SpecifierSet(each).contains(version) for each in self.ranges)


def find(directory: Path) -> PythonWish | None:
    """The wish of the project in a directory: `.python-version` before what it can run on."""
    return next(_wishes(directory), None)


def choose(wish: PythonWish | None, preferred: Interpreter) -> Interpreter:
    """The preferred interpreter, if the wish allows it, else the newest one that it allows.

    Raises EnvironmentFailed if there is none.
    """
    if wish is None or wish.allows(_as_text(preferred)):
        return preferred
    minors = [minor for minor in _MINORS if any(wish.allows(f"3.{minor}.{n}") for n in (0, 99))]
    for minor in minors:
        found = _installed(f"3.{minor}")
        if found and wish.allows(_as_text(found)):
            return found
    raise EnvironmentFailed(_told(wish, minors))


def _told(wish: PythonWish, minors: list[int]) -> str:
    asks = f"{wish.file} asks for Python {wish.text}"
    if not minors:
        return f"{asks}, but Acts run on Python 3.11 or newer; change it there"
    # The newest one that is not in the making, if others will do.
    version = f"3.{next((minor for minor in minors if minor <= 14), minors[-1])}"
    command = join([sys.executable, "-m", "uv", "python", "install", version])
    return f"{asks}, and this machine has none; to install one, type: {command}"


def _installed(version: str) -> Interpreter | None:
    try:
        return interpreters.find(version)
    except EnvironmentFailed:
        return None


def _as_text(interpreter: Interpreter) -> str:
    return ".".join(map(str, interpreter.version))


def _wishes(directory: Path) -> Iterator[PythonWish]:
    for name in (".python-version", "runtime.txt"):
        yield from _of_version_file(directory / name)
    yield from _of_pipfile(directory / "Pipfile.lock")
    project = directory / "pyproject.toml"
    if project.is_file():
        table = toml_file.read(project)
        poetry = toml_file.part(table, "tool", "poetry", "dependencies").get("python")
        yield from _of_range(toml_file.part(table, "project").get("requires-python"), project)
        yield from _of_range(poetry, project)
    pylock = directory / "pylock.toml"
    if pylock.is_file():
        yield from _of_range(toml_file.read(pylock).get("requires-python"), pylock)


def _of_version_file(file: Path) -> Iterator[PythonWish]:
    """A file with a version in its first line, of which the patch release does not matter."""
    if not file.is_file():
        return
    lines = contents(file).decode(errors="replace").splitlines()
    first = next((line.strip() for line in lines if line.strip() and line[0] != "#"), "")
    if found := _VERSION.fullmatch(first):
        yield PythonWish(first, file, (f"=={found['version']}.*",))


def _of_pipfile(file: Path) -> Iterator[PythonWish]:
    if not file.is_file():
        return
    try:
        requires = json.loads(contents(file))["_meta"]["requires"]
        found = _VERSION.fullmatch(
            requires.get("python_version") or requires["python_full_version"]
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return
    if found:
        yield PythonWish(found["version"], file, (f"=={found['version']}.*",))


def _of_range(text: object, file: Path) -> Iterator[PythonWish]:
    if not isinstance(text, str):
        return
    try:
        yield PythonWish(text, file, tuple(map(str, alternatives(text))))
    except ValueError:
        # What is no version is no wish.
        return
