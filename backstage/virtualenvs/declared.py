"""What a project declares to need, and in which file: the one that a release is built from."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from ..system.files import contents
from . import python_wish, requirement_files, toml_file
from .python_wish import PythonWish
from .toml_file import Table, part, texts


class Format(Enum):
    """The kinds of files, by the tool that writes them."""

    UV = "uv"
    PYLOCK = "pylock"
    POETRY = "poetry"
    PDM = "pdm"
    PIPENV = "pipenv"
    REQUIREMENTS = "requirements"
    PROJECT = "project"


@dataclass(frozen=True)
class Declared:
    """The file that declares what a project needs, below the top of its tree.

    What it names is relative to `directory`, which has the project's own pyproject.toml, if any.
    `extras` and `groups` are those that are installed too, and the project itself if
    `with_project`.
    """

    format: Format
    file: Path
    directory: Path = Path()
    python: PythonWish | None = None
    extras: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    with_project: bool = False


_LOCKS = {
    "uv.lock": Format.UV,
    "pylock.toml": Format.PYLOCK,
    "poetry.lock": Format.POETRY,
    "pdm.lock": Format.PDM,
    "Pipfile.lock": Format.PIPENV,
}
_PROJECT_FILES = ("pyproject.toml", "setup.cfg", "setup.py")
# What production is called by those who write requirements, extras and groups.
_PRODUCTION = ("production", "prod", "deployment", "deploy", "live")
_PLAIN = ("requirements", "base", "common", "default", "main")
_FOLDERS = ("requirements", "reqs", "requires")
_STEM = re.compile(r"(?:requirements?|reqs)[-_.]?(?P<what>.*)|(?P<before>.*)[-_.]requirements")
# How deep below the top of a tree its manage.py is looked for.
_DEPTH = 3
_PASSED_OVER = frozenset({"node_modules", "venv", "env", "build", "dist", "docs", "tests"})


def find(tree: Path) -> Declared | None:
    """The file that declares what the project in a tree needs; None if none does.

    At the top before below, where manage.py is; a lock before requirements for production, those
    before others, and these before a pyproject.toml that lists less. Raises SettingsError.
    """
    manage = _manage_py(tree)
    places = _places(tree, manage)
    found = [each for place in places for each in _candidates(tree, place)]
    best = next((each for each in found if _has_django(tree, each)), next(iter(found), None))
    return _complete(tree, best, places, has_manage=manage is not None) if best else None


def of_file(tree: Path, file: Path) -> Declared:
    """What a file of the tree declares that somebody has chosen. Raises SettingsError."""
    manage = _manage_py(tree)
    names = {**_LOCKS, **dict.fromkeys(_PROJECT_FILES, Format.PROJECT)}
    folder = file.parent.parent if file.parent.name in _FOLDERS else file.parent
    chosen = Declared(names.get(file.name, Format.REQUIREMENTS), file, folder)
    places = [*_places(tree, manage), tree / folder]
    return _complete(tree, chosen, places, has_manage=manage is not None)


def packages_of_lock(table: Table) -> frozenset[str]:
    """The packages in a lock that is written in TOML."""
    listed = [each for key in ("package", "packages") for each in _tables(table.get(key))]
    return frozenset(str(canonicalize_name(str(each.get("name", "")))) for each in listed)


def _tables(listed: object) -> list[Table]:
    found = listed if isinstance(listed, list) else []
    return [each for each in found if isinstance(each, dict)]


def _places(tree: Path, manage: Path | None) -> list[Path]:
    """Where files are looked for: the top, then down to the directory of manage.py."""
    below = manage.parent.relative_to(tree).parts if manage else ()
    return [tree.joinpath(*below[:depth]) for depth in range(len(below) + 1)]


def _manage_py(tree: Path) -> Path | None:
    """The manage.py that is nearest to the top."""
    found = []
    for folder, folders, names in os.walk(tree):
        here = Path(folder)
        deep = len(here.relative_to(tree).parts)
        kept = sorted(each for each in folders if each[0] != "." and each not in _PASSED_OVER)
        folders[:] = kept if deep < _DEPTH else []
        if "manage.py" in names:
            found.append((deep, here / "manage.py"))
    return min(found)[1] if found else None


def _candidates(tree: Path, place: Path) -> Iterator[Declared]:
    """The files of one directory that declare something, the best first."""
    here = place.relative_to(tree)
    for name, kind in _LOCKS.items():
        if (place / name).is_file():
            yield Declared(kind, here / name, here)
    project = next((place / name for name in _PROJECT_FILES if _declares(place / name)), None)
    for file in _requirement_files(place):
        if project and not _lists_as_much(file, project):
            continue
        yield Declared(Format.REQUIREMENTS, file.relative_to(tree), here)
    if project:
        yield Declared(Format.PROJECT, project.relative_to(tree), here)


def _requirement_files(place: Path) -> list[Path]:
    """The requirements files for production, then those for everything."""
    folders = [place, *(place / name for name in _FOLDERS)]
    files = [
        file for folder in folders for end in ("txt", "in") for file in folder.glob(f"*.{end}")
    ]
    ranked = [(rank, n, file) for n, file in enumerate(files) if (rank := _rank(file)) is not None]
    return [file for _, _, file in sorted(ranked)]


def _rank(file: Path) -> int | None:
    """The place of a requirements file among others; None if it is for something else."""
    found = _STEM.fullmatch(file.stem)
    if found:
        what = found["what"] or found["before"] or "requirements"
    else:
        what = file.stem if file.parent.name in _FOLDERS else ""
    order = (*_PRODUCTION, *_PLAIN)
    return order.index(what) if what in order else None


def _is_for_production(file: Path) -> bool:
    return (_rank(file) or 0) < len(_PRODUCTION)


def _lists_as_much(file: Path, project: Path) -> bool:
    """Whether a requirements file has what the project's own file lists, or is for production."""
    lines = requirement_files.read(file)
    if _is_for_production(file) or any(line.is_local for line in lines):
        return True
    return requirement_files.names(lines) >= _listed(project)


def _declares(file: Path) -> bool:
    """Whether a project's own file declares what it needs, and not only how it is checked."""
    if not file.is_file():
        return False
    if file.suffix == ".cfg":
        return "install_requires" in contents(file).decode(errors="replace")
    if file.suffix == ".py":
        return True
    table = toml_file.read(file)
    project = part(table, "project")
    dynamic = "dependencies" in texts(project, "dynamic")
    return bool(project.get("dependencies") or dynamic or _of_poetry(table))


def _listed(project: Path) -> frozenset[str]:
    """The names that a project's own file lists."""
    if project.suffix != ".toml":
        return frozenset()
    table = toml_file.read(project)
    found = {_name(text) for text in texts(part(table, "project"), "dependencies")}
    return frozenset(found | _of_poetry(table)) - {""}


def _of_poetry(table: Table) -> set[str]:
    names = part(table, "tool", "poetry", "dependencies")
    return {str(canonicalize_name(name)) for name in names} - {"python"}


def _name(text: str) -> str:
    try:
        return str(canonicalize_name(Requirement(text).name))
    except InvalidRequirement:
        return ""


def _has_django(tree: Path, declared: Declared) -> bool:
    """Whether a lock has Django; others may have it through what they name."""
    if declared.format in {Format.REQUIREMENTS, Format.PROJECT}:
        return True
    file = tree / declared.file
    if declared.format is Format.PIPENV:
        return '"django"' in contents(file).decode(errors="replace").lower()
    return "django" in packages_of_lock(toml_file.read(file))


def _complete(tree: Path, declared: Declared, places: list[Path], *, has_manage: bool) -> Declared:
    """The same with the project's wishes, from the directory of its own file."""
    # In a workspace, the lock is at the top, and the project below.
    members = [place for place in places if (place / "pyproject.toml").is_file()]
    in_workspace = declared.format is Format.UV and members
    directory = members[-1] if in_workspace else tree / declared.directory
    project = directory / "pyproject.toml"
    table = toml_file.read(project) if project.is_file() else {}
    extras = part(table, "project", "optional-dependencies")
    groups = {**part(table, "dependency-groups"), **part(table, "tool", "poetry", "group")}
    wishes = (python_wish.find(place) for place in (directory, *reversed(places)))
    return Declared(
        declared.format,
        declared.file,
        directory.relative_to(tree),
        next(filter(None, wishes), None),
        tuple(name for name in extras if name in _PRODUCTION),
        tuple(name for name in groups if name in _PRODUCTION),
        _is_to_be_installed(directory, table, has_manage=has_manage),
    )


def _is_to_be_installed(directory: Path, table: Table, *, has_manage: bool) -> bool:
    """Whether the project is run as it is installed: by a script, or as there is no manage.py."""
    is_package = "build-system" in table or (directory / "setup.py").is_file()
    scripts = part(table, "project", "scripts") or part(table, "tool", "poetry", "scripts")
    return is_package and (not has_manage or any(name.endswith("-manage") for name in scripts))
