"""How the management commands of a project are run, and where that was found."""

from __future__ import annotations

import configparser
import re
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass

from .tree import Tree, parent, words_of

# A project in one of these is an example of what the tree really is.
_EXAMPLES = frozenset({"test", "tests", "testing", "docs", "doc", "example", "examples", "demo"})
_RUNS_COMMANDS = re.compile(r"execute_from_command_line|ManagementUtility")
# Where a tree keeps the packages that it installs.
_HOMES = ("", "src")
_DJANGO = re.compile(r"\bdjango\b", re.IGNORECASE)
_TARGET = re.compile(r"([A-Za-z_][\w.]*)\s*:\s*[\w.]+")
_SCRIPT = re.compile(r"[A-Za-z0-9][\w.-]*")


@dataclass(frozen=True)
class Manage:
    """The `file` manage.py, or the installed program `script`, or the package to run with `-m`.

    `module` is what the script or `-m` runs. `directory` is where its modules are searched for;
    both it and `file` are relative to the top of the tree.
    """

    file: str = ""
    script: str = ""
    module: str = ""
    directory: str = ""

    def __str__(self) -> str:
        return self.file or self.script or f"-m {self.module}"

    @classmethod
    def of(cls, text: str) -> Manage:
        """What its text in a project.yaml means."""
        if text.startswith("-m "):
            return cls(module=text[3:].strip())
        if text.endswith(".py"):
            return cls(file=text, directory=parent(text))
        return cls(script=text)


def candidates(tree: Tree) -> list[Manage]:
    """The ways to run management commands that are equally near; none or one, if all is well."""
    files = _manage_files(tree)
    scripts = [each for each in _scripts(tree) if _is_near(each, files)]
    if scripts:
        return scripts[:1]
    if files:
        return [Manage(file=file, directory=parent(file)) for file in files]
    return _packages(tree)[:1]


def _manage_files(tree: Tree) -> list[str]:
    """The shallowest manage.py of Django, or several of the same depth."""
    found = [file for file in tree.named("manage.py") if _is_django(tree.text(file))]
    found = [file for file in found if "{" not in file]
    real = [file for file in found if not words_of(parent(file)) & _EXAMPLES] or found
    depths = [file.count("/") for file in real]
    return [file for file, depth in zip(real, depths, strict=True) if depth == min(depths)]


def _is_django(text: str) -> bool:
    # A template of a project has places to fill in.
    return bool(_DJANGO.search(text)) and "{{" not in text


def _is_near(script: Manage, files: list[str]) -> bool:
    """Whether a script stands for the only manage.py, which is a part of a package."""
    return not files or files == [f"{script.directory}/{_path(script.module)}.py".lstrip("/")]


def _scripts(tree: Tree) -> list[Manage]:
    """The programs that the tree installs and that run management commands, best first."""
    found = []
    for name, target in _entry_points(tree):
        match = _TARGET.match(target)
        if not match or not _SCRIPT.fullmatch(name):
            continue
        for base in _HOMES:
            file = tree.module(match[1], (base,))
            if file and _RUNS_COMMANDS.search(tree.text(file)):
                found.append(Manage(script=name, module=match[1], directory=base))
                break
    return sorted(found, key=lambda each: "manage" not in words_of(each.script))


def _packages(tree: Tree) -> list[Manage]:
    """The packages whose `__main__.py` runs management commands."""
    mains = (file for file in tree.named("__main__.py") if "/" in file)
    folders = [parent(file) for file in mains if _RUNS_COMMANDS.search(tree.text(file))]
    return [Manage(module=each.rpartition("/")[2], directory=parent(each)) for each in folders]


def _entry_points(tree: Tree) -> Iterator[tuple[str, str]]:
    for file in tree.named("entry_points.txt"):
        yield from _section(tree.text(file), "console_scripts")
    for file in tree.named("pyproject.toml")[:1]:
        yield from _declared(tree.text(file))
    for file in tree.named("setup.cfg")[:1]:
        points = dict(_section(tree.text(file), "options.entry_points")).get("console_scripts", "")
        yield from _section(f"[points]\n{points}", "points")


def _section(text: str, name: str) -> list[tuple[str, str]]:
    parser = configparser.RawConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    with suppress(configparser.Error, ValueError):
        parser.read_string(text)
        if parser.has_section(name):
            return parser.items(name)
    return []


def _declared(text: str) -> Iterator[tuple[str, str]]:
    try:
        whole = tomllib.loads(text)
    except (ValueError, RecursionError):
        return
    tool = _table(_table(whole, "tool"), "poetry")
    for table in (_table(whole, "project"), tool):
        for name, target in _table(table, "scripts").items():
            yield str(name), str(target)


def _table(mapping: Mapping[str, object], key: str) -> Mapping[str, object]:
    value = mapping.get(key)
    return value if isinstance(value, dict) else {}


def _path(module: str) -> str:
    return module.replace(".", "/")
