"""venue.yaml: the settings of a Venue."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from pathlib import Path
from typing import TypeVar

import yaml

from ..errors import SettingsError

_LOWEST_PORT = 1024
_HIGHEST_PORT = 65535
_SIZE = re.compile(r"(\d+)([KMGT]?)")
_UNITS = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3, "T": 1024**4}
_PERCENT = re.compile(r"(\d+)%")
_USER = re.compile(r"[a-z_][a-z0-9_-]{0,30}\$?")
# Less would not even let Python start.
_LEAST_MEMORY = 16 * 1024**2
_LEAST_TASKS = 8


class Logs(Enum):
    """Where a Venue writes what it has to say, once systemd runs it."""

    FILES = "files"
    JOURNAL = "journal"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True)
class Limits:
    """How much of the machine may be used; None sets no bound.

    `memory` in bytes, `cpu` in percent of one processor, `tasks` as processes and threads.
    """

    memory: int | None = None
    cpu: int | None = None
    tasks: int | None = None

    def __bool__(self) -> bool:
        return (self.memory, self.cpu, self.tasks) != (None, None, None)


@dataclass(frozen=True)
class ActSettings:
    """What venue.yaml says of one Act; `run_as` is the user it runs as, '' for the Venue's."""

    run_as: str = ""
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True)
class Settings:
    """What venue.yaml says.

    `ports` is the range, both ends included, that new Acts choose from; `limits` are those of the
    whole Venue; `acts` are the settings of single Acts by name.
    """

    ports: range = range(8001, 9000)
    limits: Limits = field(default_factory=Limits)
    logs: Logs = Logs.FILES
    acts: Mapping[str, ActSettings] = field(default_factory=dict)

    def act(self, name: str) -> ActSettings:
        return self.acts.get(name, ActSettings())


def read_settings(path: Path) -> Settings:
    """Read and check a venue.yaml. Raises SettingsError, which names the line."""
    if not path.is_file():
        raise SettingsError(path, None, "is no file")
    try:
        document = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        line = mark.line + 1 if mark else None
        raise SettingsError(path, line, f"not valid YAML: {error.problem}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SettingsError(path, None, f"not valid YAML: {error}") from error
    if document is None:
        return Settings()
    return _Reader(path).filled(Settings(), document, "settings", _VENUE)


_T = TypeVar("_T")
_Readers = Mapping[str, Callable[["_Reader", yaml.Node], object]]


@dataclass(frozen=True)
class _Reader:
    """Makes values of the nodes of one file, and says at which line that cannot be done."""

    path: Path

    def filled(self, empty: _T, node: yaml.Node, what: str, known: _Readers) -> _T:
        """`empty` with those of its fields that a mapping names."""
        values: dict[str, object] = {}
        for key, value in self.pairs(node, what):
            if key.value not in known:
                names = ", ".join(known)
                raise self.fault(key, f"unknown key {key.value!r}; known keys: {names}")
            values[key.value] = known[key.value](self, value)
        return replace(empty, **values)  # type: ignore[type-var]

    def pairs(self, node: yaml.Node, what: str) -> list[tuple[yaml.Node, yaml.Node]]:
        if not isinstance(node, yaml.MappingNode):
            raise self.fault(node, f"{what} are lines of `key: value`")
        if strange := [key for key, _ in node.value if not isinstance(key, yaml.ScalarNode)]:
            raise self.fault(strange[0], f"{what} are lines of `key: value`")
        return list(node.value)

    def ports(self, node: yaml.Node) -> range:
        try:
            return port_range(_word(node))
        except ValueError as error:
            raise self.fault(node, str(error)) from error

    def limits(self, node: yaml.Node) -> Limits:
        return self.filled(Limits(), node, "limits", _LIMITS)

    def memory(self, node: yaml.Node) -> int:
        match = _SIZE.fullmatch(_word(node))
        size = int(match[1]) * _UNITS[match[2]] if match else 0
        if size < _LEAST_MEMORY:
            said = f"memory is a size such as 300M or 2G, 16M at least, not {_shown(node)}"
            raise self.fault(node, said)
        return size

    def cpu(self, node: yaml.Node) -> int:
        match = _PERCENT.fullmatch(_word(node))
        if not match or not int(match[1]):
            raise self.fault(node, f"cpu is a share of one processor as 50%, not {_shown(node)}")
        return int(match[1])

    def tasks(self, node: yaml.Node) -> int:
        word = _word(node)
        if not word.isdecimal() or int(word) < _LEAST_TASKS:
            raise self.fault(node, f"tasks is a number from {_LEAST_TASKS} on, not {_shown(node)}")
        return int(word)

    def logs(self, node: yaml.Node) -> Logs:
        try:
            return Logs(_word(node))
        except ValueError as error:
            raise self.fault(node, f"logs is files or journal, not {_shown(node)}") from error

    def user(self, node: yaml.Node) -> str:
        if not _USER.fullmatch(_word(node)):
            raise self.fault(node, f"run_as is the name of a user, not {_shown(node)}")
        return _word(node)

    def acts(self, node: yaml.Node) -> dict[str, ActSettings]:
        return {
            str(name.value): self.filled(ActSettings(), value, f"those of {name.value}", _ACT)
            for name, value in self.pairs(node, "acts")
        }

    def fault(self, node: yaml.Node, why: str) -> SettingsError:
        return SettingsError(self.path, int(node.start_mark.line) + 1, why)


def port_range(text: str) -> range:
    """A range such as 8001-8999, both ends included. Raises ValueError, which says why not."""
    words = text.split("-")
    if len(words) != 2 or not all(word.strip().isdecimal() for word in words):
        raise ValueError("ports is a range such as 8001-8999")
    first, last = (int(word) for word in words)
    if not _LOWEST_PORT <= first <= last <= _HIGHEST_PORT:
        within = f"{_LOWEST_PORT}-{_HIGHEST_PORT}"
        raise ValueError(f"ports {first}-{last} is no rising range within {within}")
    return range(first, last + 1)


def _word(node: yaml.Node) -> str:
    """A value that is one word; '' for a list or a mapping."""
    return str(node.value) if isinstance(node, yaml.ScalarNode) else ""


def _shown(node: yaml.Node) -> str:
    """A value as the file has it, for an error."""
    if isinstance(node, yaml.ScalarNode):
        return repr(node.value)
    return "a list" if isinstance(node, yaml.SequenceNode) else "a mapping"


_LIMITS: _Readers = {"memory": _Reader.memory, "cpu": _Reader.cpu, "tasks": _Reader.tasks}
_ACT: _Readers = {"run_as": _Reader.user, "limits": _Reader.limits}
_VENUE: _Readers = {
    "ports": _Reader.ports,
    "limits": _Reader.limits,
    "logs": _Reader.logs,
    "acts": _Reader.acts,
}
