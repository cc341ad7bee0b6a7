"""The files of a project that tell how it is deployed elsewhere, and what they say."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice

from ..errors import SettingsError
from ..layout.yaml_file import MappingNode, Node, ScalarNode, SequenceNode, top_node
from .tree import Tree, words_of

# What is for development says nothing about how the project is run for its users.
_ELSEWHERE = frozenset(
    {"local", "dev", "devcontainer", "develop", "development", "test", "tests", "ci", "debug"}
    | {
        "override",
        "example",
        "sample",
        "demo",
        "docs",
        "e2e",
        "node",
        "nginx",
        "unit",
        "integration",
    }
)
_PRODUCTION = frozenset({"production", "prod", "live"})
_MOST_FILES = 100
_MOST_COMMANDS = 100
_LONGEST_COMMAND = 500

_SETTINGS = re.compile(
    r"""DJANGO_SETTINGS_MODULE(?:["'\]\s]*[:,=]-?\s*|(?<=ENV DJANGO_SETTINGS_MODULE)\s+)"""
    r"""["']?([A-Za-z_][\w.]*)"""
)
_APPLICATION = re.compile(
    r"(?<![\w./-])((?:[A-Za-z_]\w*\.)*([wa]sgi))(?::([A-Za-z_]\w*))?(?![\w./(])"
)
_SERVERS = re.compile(
    r"\b(?:gunicorn|uvicorn|granian|daphne|hypercorn|uwsgi|waitress-serve|wsgi_app)\b"
    r"|^\s*(?:module|wsgi|mount)\s*="
)
_COMMENT = re.compile(r"^\s*[#;]|^\s*//")
_PROCFILE = re.compile(r"([\w-]+):\s*(\S.*)")
_KEY = re.compile(r"\s*([\w-]+)\s*=\s*(\S.*)")
_SUPERVISED = re.compile(r"\[program:([^\]]+)\]")
_EXEC = re.compile(r"\s*(?:exec\s+)(\S.*)")
_GIVEN_TO_SHELL = re.compile(r"""^(?:/\w+)*/?(?:ba|da)?sh\s+-l?c\s+(["'])(.*)\1$""")


@dataclass(frozen=True)
class Command:
    """A command that a deployment runs, under its name there.

    `file` says so; `group` is the same for the files that belong to one kind of deployment.
    """

    name: str
    line: str
    file: str
    group: str


@dataclass(frozen=True)
class Application:
    """A WSGI or ASGI application, as `module:callable`; `file` names it."""

    module: str
    callable: str
    protocol: str
    file: str


@dataclass(frozen=True)
class DeploymentFiles:
    """The deployment files of a tree, those that tell most first."""

    tree: Tree
    files: tuple[tuple[str, str], ...]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(file for file, _ in self.files)

    def settings_modules(self) -> Iterator[tuple[str, str]]:
        """The settings modules that the files name, each with the file."""
        for file in self.names:
            for line in self._lines(file):
                for name in _SETTINGS.findall(line):
                    yield name, file

    def applications(self) -> Iterator[Application]:
        """The applications that the files let a server run."""
        for file in self.names:
            for line in self._lines(file):
                if _SERVERS.search(line) and (match := _APPLICATION.search(line)):
                    yield Application(match[1], match[3] or "application", match[2], file)

    def commands(self) -> Iterator[Command]:
        """The commands that the files run, each in one line."""
        found = (each for file, kind in self.files for each in self._commands(file, kind))
        for command in islice(found, _MOST_COMMANDS):
            line = _plain(command.line)
            if line and len(line) <= _LONGEST_COMMAND and line.isprintable():
                yield replace(command, line=line)

    def _commands(self, file: str, kind: str) -> Iterator[Command]:
        reader = _COMMANDS.get(kind)
        if kind == "compose":
            yield from _composed(self.tree, file)
        elif reader:
            yield from (
                Command(name, line, file, kind) for name, line in reader(self._lines(file), file)
            )

    def _lines(self, file: str) -> list[str]:
        text = self.tree.text(file).replace("\\\n", " ")
        return [line for line in text.splitlines() if not _COMMENT.match(line)]


def find(tree: Tree) -> DeploymentFiles:
    """The deployment files of a tree, without those for development."""
    found = [(file, _kind(tree, file)) for file in tree.files]
    told = [(file, kind) for file, kind in found if kind and not _is_elsewhere(file)]
    order = list(_KINDS)
    told.sort(key=lambda each: (_is_production(each[0]), order.index(each[1]), each[0].count("/")))
    return DeploymentFiles(tree, tuple(told[:_MOST_FILES]))


def _is_elsewhere(file: str) -> bool:
    return bool(words_of(file) & _ELSEWHERE)


def _is_production(file: str) -> bool:
    """A sort key: files that say that they are for production come first."""
    return not words_of(file) & _PRODUCTION


def _kind(tree: Tree, file: str) -> str:
    """What kind of deployment file a file is; '' if it is none."""
    folder, _, name = file.rpartition("/")
    for kind, is_one in _KINDS.items():
        if is_one(folder, name) and (kind not in _TOLD_BY or _TOLD_BY[kind] in tree.text(file)):
            return kind
    return ""


def _is_environment(folder: str, name: str) -> bool:
    is_named = name.startswith(".env") or name.endswith(".env")
    return is_named or folder.split("/")[0] in {".envs", ".env"}


def _is_script(folder: str, name: str) -> bool:
    return name.endswith(".sh") or name in {"start", "run", "entrypoint", "worker", "web"}


# In the order in which they are believed.
_KINDS: dict[str, Callable[[str, str], bool]] = {
    "uwsgi": lambda folder, name: name.endswith(".ini"),
    "Procfile": lambda folder, name: name == "Procfile" or name.startswith("Procfile."),
    "compose": lambda folder, name: "compose" in name and name.endswith((".yml", ".yaml")),
    "environment": _is_environment,
    "Dockerfile": lambda folder, name: (
        name.startswith("Dockerfile") or name.endswith(".dockerfile")
    ),
    "unit": lambda folder, name: name.endswith(".service"),
    "gunicorn": lambda folder, name: "gunicorn" in name and name.endswith(".py"),
    "supervisor": lambda folder, name: name.endswith(".conf"),
    "script": _is_script,
}
# What a file must contain, where its name could be that of anything.
_TOLD_BY = {"uwsgi": "[uwsgi]", "supervisor": "[program:"}


def _in_procfile(lines: Iterable[str], file: str) -> Iterator[tuple[str, str]]:
    yield from (match.groups() for line in lines if (match := _PROCFILE.fullmatch(line.strip())))  # type: ignore[misc]


def _in_uwsgi(lines: Iterable[str], file: str) -> Iterator[tuple[str, str]]:
    for line in lines:
        match = _KEY.fullmatch(line)
        if match and "attach-daemon" in match[1]:
            yield "", match[2].partition("cmd=")[2].partition(",")[0] or match[2]


def _in_unit(lines: Iterable[str], file: str) -> Iterator[tuple[str, str]]:
    name = file.rpartition("/")[2].removesuffix(".service").removesuffix("@")
    for line in lines:
        match = _KEY.fullmatch(line)
        if match and match[1] == "ExecStart":
            yield name, match[2].lstrip("-@:+!")


def _in_supervisor(lines: Iterable[str], file: str) -> Iterator[tuple[str, str]]:
    name = ""
    for line in lines:
        if section := _SUPERVISED.match(line.strip()):
            name = section[1]
        elif line.startswith("["):
            name = ""
        elif name and (match := _KEY.fullmatch(line)) and match[1] == "command":
            yield name, match[2]


def _in_script(lines: Iterable[str], file: str) -> Iterator[tuple[str, str]]:
    names = file.split("/")
    name = names[-2] if names[-1] in {"start", "run"} and len(names) > 1 else names[-1]
    yield from (
        (name.removesuffix(".sh"), match[1]) for line in lines if (match := _EXEC.fullmatch(line))
    )


_COMMANDS: dict[str, Callable[[Iterable[str], str], Iterator[tuple[str, str]]]] = {
    "Procfile": _in_procfile,
    "uwsgi": _in_uwsgi,
    "unit": _in_unit,
    "supervisor": _in_supervisor,
    "script": _in_script,
}


def _composed(tree: Tree, file: str) -> Iterator[Command]:
    """The commands of the services in a compose file."""
    if not tree.text(file):
        return
    try:
        document = top_node(tree.top / file)
    except SettingsError:
        return
    for name, service in _pairs(_child(document, "services")):
        if line := _words(_child(service, "command")):
            yield Command(name, line, file, "compose")


def _pairs(node: Node | None) -> list[tuple[str, Node]]:
    if not isinstance(node, MappingNode):
        return []
    pairs = islice(node.value, _MOST_COMMANDS)
    return [(str(key.value), value) for key, value in pairs]


def _child(node: Node | None, name: str) -> Node | None:
    return dict(_pairs(node)).get(name)


def _words(node: Node | None) -> str:
    """A command, which is one text or a list of words."""
    if isinstance(node, SequenceNode):
        words = islice(node.value, _MOST_COMMANDS)
        return " ".join(str(each.value) for each in words if isinstance(each, ScalarNode))
    return str(node.value) if isinstance(node, ScalarNode) else ""


def _plain(line: str) -> str:
    """A command without the shell that is to run it, in one line."""
    line = " ".join(line.split()).removeprefix("exec ")
    shell = _GIVEN_TO_SHELL.match(line)
    return shell[2].removeprefix("exec ") if shell else line
