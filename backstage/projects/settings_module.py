"""Which settings module a project is served with, found in its files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from . import python_source
from .deployment_files import DeploymentFiles
from .manage import Manage
from .tree import Tree

# A module so called is for something else than serving users, or only a part of another one.
_WEAK = frozenset(
    {"local", "dev", "develop", "development", "debug", "test", "tests", "testing", "ci"}
    | {"docker", "demo", "example", "base", "common", "defaults"}
)
_PRODUCTION = ("production", "prod")
_WORD = re.compile(r"[a-z]+")


@dataclass(frozen=True)
class SettingsModule:
    """A settings module; `file` is what names it, and `path` where it is in the tree."""

    name: str
    path: str
    file: str


@dataclass
class _Search:
    """The search in one tree; `tried` has what was looked at, in the order of the looks."""

    tree: Tree
    bases: tuple[str, ...]
    tried: list[str] = field(default_factory=list)

    def first(self, named: Iterator[tuple[str, str]]) -> SettingsModule | None:
        """The first module that is there and is for serving users, else its sibling, else any."""
        found = list(filter(None, (self._there(name, file) for name, file in named)))
        strong = (each for each in found if not _is_weak(each.name))
        best = next(strong, None) or self._sibling(found)
        return best or next(iter(found), None)

    def _there(self, name: str, file: str) -> SettingsModule | None:
        path = self.tree.module(name, self.bases)
        is_settings = bool(path) and self._is_settings(path)
        told = f"{file}: {name}"
        if path and not is_settings and (inner := self._inner(name, file)):
            return inner
        if told not in self.tried:
            self.tried.append(told)
        return SettingsModule(name, path, file) if is_settings else None

    def _is_settings(self, path: str) -> bool:
        is_package = path.endswith("/__init__.py")
        return not is_package or python_source.has_code(self.tree.text(path))

    def _inner(self, name: str, file: str) -> SettingsModule | None:
        """The production module in a package that has no settings itself."""
        for last in _PRODUCTION:
            if path := self.tree.module(f"{name}.{last}", self.bases):
                return SettingsModule(f"{name}.{last}", path, file)
        return None

    def _sibling(self, found: list[SettingsModule]) -> SettingsModule | None:
        """The module for production beside one that is not."""
        for module in found:
            for name in _production_names(module.name):
                if path := self.tree.module(name, self.bases):
                    return SettingsModule(name, path, path)
        return None


def choose(
    tree: Tree, manage: Manage, deployment: DeploymentFiles, entries: tuple[str, ...]
) -> tuple[SettingsModule | None, tuple[str, ...]]:
    """The settings module, and what was looked at.

    `entries` are the files of the applications, which are believed after those of deployment.
    """
    search = _Search(tree, bases(manage))
    return search.first(_named(tree, manage, deployment, entries)), tuple(search.tried)


def bases(manage: Manage) -> tuple[str, ...]:
    """The directories in which a project's modules are searched for."""
    return tuple(dict.fromkeys((manage.directory, "", "src")))


def _named(
    tree: Tree, manage: Manage, deployment: DeploymentFiles, entries: tuple[str, ...]
) -> Iterator[tuple[str, str]]:
    yield from deployment.settings_modules()
    places = bases(manage)
    runner = manage.file or tree.module(manage.module, places)
    mains = [tree.module(f"{manage.module}.__main__", places)] if manage.module else []
    for file in (*entries, runner, *mains):
        if file:
            yield from ((name, file) for name in python_source.settings_modules(tree.text(file)))
    if not manage.file:
        # An installed program may leave it to the environment.
        yield f"{manage.module.partition('.')[0]}.settings", runner or "its package"


def _is_weak(name: str) -> bool:
    return bool(_WEAK & set(_WORD.findall(name.rpartition(".")[2].lower())))


def _production_names(name: str) -> Iterator[str]:
    """What the settings for production may be called beside these."""
    package, dot, last = name.rpartition(".")
    for production in _PRODUCTION:
        yield f"{package}{dot}{production}"
        for word in set(_WORD.findall(last.lower())) & _WEAK:
            if word != last:
                yield f"{package}{dot}{last.replace(word, production)}"
