"""What a tree of files tells about the Django project in it. Nothing of it is run or imported."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from ..errors import ProjectRefused
from . import (
    companions,
    deployment_files,
    health_paths,
    manage,
    python_source,
    settings_module,
    static_build,
    tree,
)
from .companions import Companion
from .deployment_files import Application, DeploymentFiles
from .manage import Manage
from .static_build import StaticBuild
from .tree import Tree

# How each part is named at the command line when it is not found.
MANAGE, SETTINGS = "--manage", "--settings"


@dataclass(frozen=True)
class Unknown:
    """What was not found, where it was looked for, and the option that tells it."""

    what: str
    tried: tuple[str, ...]
    option: str


@dataclass(frozen=True)
class Discovered:
    """What is known of a project from its files.

    `wsgi` and `asgi` are applications as `module:callable`, '' if there is none; what the settings
    say about them when they are loaded counts more. `health` has the paths, best first. `origins`
    tells for each part that is found the file that told it. `compresses` tells whether the settings
    name django-compressor.
    """

    manage: Manage | None = None
    settings: str = ""
    wsgi: str = ""
    asgi: str = ""
    companions: tuple[Companion, ...] = ()
    build: StaticBuild | None = None
    compresses: bool = False
    health: tuple[str, ...] = ()
    origins: dict[str, str] = field(default_factory=dict)
    unknown: tuple[Unknown, ...] = ()
    is_cut: bool = False


def discover(top: Path, *, manage: str = "", settings: str = "") -> Discovered:
    """What the files at `top` tell; `manage` and `settings` are what the caller knows better.

    Raises ProjectRefused if two parts of the tree have an equal claim to be the project, or if it
    does not have what the caller names. Raises OSError if `top` cannot be read.
    """
    files = tree.walk(top)
    runner = _told_manage(files, manage) if manage else _found_manage(files)
    if runner is None:
        looked = ("manage.py", "[project.scripts]", "entry_points.txt", "__main__.py")
        missing = Unknown("manage.py", looked, MANAGE)
        return Discovered(unknown=(missing,), build=static_build.find(files), is_cut=files.is_cut)
    return _Project(files, runner, deployment_files.find(files)).described(settings)


@dataclass(frozen=True)
class _Project:
    """One project in a tree."""

    files: Tree
    manage: Manage
    deployment: DeploymentFiles

    def described(self, told: str) -> Discovered:
        applications = list(self.deployment.applications())
        entries = self._entries(applications)
        name, path, origin, tried = self._settings(told, entries)
        texts = self._beside(path)
        wsgi, asgi = (self._application(each, applications, texts) for each in ("wsgi", "asgi"))
        found = companions.find(
            self.files, self.manage.directory, self.deployment.commands(), texts
        )
        urls = self._urls(texts, path)
        missing = () if name else (Unknown("the settings module", tried, SETTINGS),)
        origins = {
            "manage": self.manage.file,
            **{"settings": origin, "wsgi": wsgi[1], "asgi": asgi[1], "health": urls},
        }
        return Discovered(
            manage=self.manage,
            settings=name,
            wsgi=wsgi[0],
            asgi=asgi[0],
            companions=found,
            build=static_build.find(self.files),
            compresses=any(self._mentions(each, "compressor") for each in texts),
            health=health_paths.seen_in(self.files, urls) if urls else (),
            origins={key: file for key, file in origins.items() if file},
            unknown=missing,
            is_cut=self.files.is_cut,
        )

    @property
    def _bases(self) -> tuple[str, ...]:
        return settings_module.bases(self.manage)

    def _settings(
        self, told: str, entries: tuple[str, ...]
    ) -> tuple[str, str, str, tuple[str, ...]]:
        """The name, the file and the origin of the settings module, and what was looked at."""
        if told:
            return told, self.files.module(told, self._bases), "", ()
        found, tried = settings_module.choose(self.files, self.manage, self.deployment, entries)
        return (found.name, found.path, found.file, tried) if found else ("", "", "", tried)

    def _entries(self, applications: list[Application]) -> tuple[str, ...]:
        """The files of the applications: those that are deployed, then those that lie there."""
        deployed = [self.files.module(each.module, self._bases) for each in applications]
        lying = [
            file
            for protocol in ("wsgi", "asgi")
            for file in self.files.named(f"{protocol}.py", "__init__.py")
            if file.endswith((f"{protocol}.py", f"{protocol}/__init__.py")) and self._is_ours(file)
        ]
        return tuple(dict.fromkeys(filter(None, (*deployed, *lying))))

    def _is_ours(self, file: str) -> bool:
        return file.startswith(f"{self.manage.directory}/".lstrip("/"))

    def _application(
        self, protocol: str, deployed: list[Application], settings: tuple[str, ...]
    ) -> tuple[str, str]:
        """An application and the file that names it; '' twice if there is none."""
        for file in settings:
            value = python_source.assigned(self.files.text(file), f"{protocol.upper()}_APPLICATION")
            module, _, name = value.rpartition(".")
            if self.files.module(module, self._bases):
                return f"{module}:{name}", file
        for each in deployed:
            if each.protocol == protocol and self.files.module(each.module, self._bases):
                return f"{each.module}:{each.callable}", each.file
        for file in self._entries([]):
            if file.endswith((f"{protocol}.py", f"{protocol}/__init__.py")):
                return f"{self._module_of(file)}:application", file
        return "", ""

    def _module_of(self, file: str) -> str:
        inside = file.removeprefix(self.manage.directory).strip("/")
        return inside.removesuffix(".py").removesuffix("/__init__").replace("/", ".")

    def _beside(self, path: str) -> tuple[str, ...]:
        """The files of the settings: the module, and those in the same directory."""
        if not path:
            return ()
        folder = tree.parent(path)
        near = [each for each in self.files.files if tree.parent(each) == folder]
        names = [each for each in near if each.endswith(".py") and self._is_settings(each, folder)]
        return tuple(dict.fromkeys((path, *names)))

    def _is_settings(self, file: str, folder: str) -> bool:
        is_folder_of_settings = "settings" in tree.words_of(folder)
        return is_folder_of_settings or "settings" in tree.words_of(file.rpartition("/")[2])

    def _urls(self, settings: tuple[str, ...], path: str) -> str:
        """The file of the project's URLs; '' if it is not found."""
        for file in settings:
            name = python_source.assigned(self.files.text(file), "ROOT_URLCONF")
            if name and (found := self.files.module(name, self._bases)):
                return found
        beside = f"{tree.parent(path)}/urls.py".lstrip("/")
        return beside if beside in self.files.files else ""

    def _mentions(self, file: str, name: str) -> bool:
        return python_source.mentions(self.files.text(file), name)


def _found_manage(files: Tree) -> Manage | None:
    found = manage.candidates(files)
    if len(found) > 1:
        raise ProjectRefused(files.top, "a manage.py", tuple(each.file for each in found), MANAGE)
    return found[0] if found else None


def _told_manage(files: Tree, told: str) -> Manage:
    given = Manage.of(told)
    if given.file and given.file not in files.files:
        raise ProjectRefused(
            files.top, given.file, files.named("manage.py"), MANAGE, is_there=False
        )
    return given
