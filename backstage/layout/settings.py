"""venue.yaml: the settings of a Venue."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from enum import Enum
from pathlib import Path
from typing import TypeVar
from unicodedata import category

from ..errors import SettingsError
from ..facts.health import HealthCheck
from ..facts.notices import Target
from ..system.files import contents
from .yaml_file import MappingNode, Node, ScalarNode, SequenceNode, top_node

_LOWEST_PORT = 1024
_HIGHEST_PORT = 65535
_SIZE = re.compile(r"([0-9]{1,15})([KMGT]?)")
_UNITS = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3, "T": 1024**4}
_PERCENT = re.compile(r"([0-9]{1,7})%")
# Longer numbers mean nothing here, and Python refuses to read those of thousands of digits.
_NUMBER = re.compile(r"[0-9]{1,9}")
_USER = re.compile(r"[a-z_][a-z0-9_-]{0,30}\$?")
_URL_PATH = re.compile(r"/[!-~]*")
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.:-]*[A-Za-z0-9])?|\[[0-9a-f:]+\](:\d+)?")
_STATUSES = range(100, 600)
_SECONDS = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)s?")
_LONGEST_TIMEOUT = 60
# With less, not even Python starts.
_LEAST_MEMORY = 16 * 1024**2
# The kernel counts bytes in 63 bits.
_MOST_MEMORY = 2**63 - 1
_LEAST_TASKS = 8
_NEVER = "never"
_MOST_TRIES = 1000
_TARGET_URL = re.compile(r"[a-z][a-z0-9+.-]*://[!-~]{1,1000}")
_LONGEST_COMMAND = 1000
_MOST_TARGETS = 20
_LONGEST_SHOWN = 60
# Control characters, halves of characters, and ends of lines.
_UNPRINTED = frozenset({"Cc", "Cs", "Zl", "Zp"})


class Logs(Enum):
    """Where a Venue's logs go when systemd runs it."""

    FILES = "files"
    JOURNAL = "journal"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True)
class Limits:
    """Limits on the use of the machine; None means no limit.

    `memory` is in bytes, `cpu` in percent of one processor; `tasks` counts processes and threads.
    """

    memory: int | None = None
    cpu: int | None = None
    tasks: int | None = None

    def __bool__(self) -> bool:
        return (self.memory, self.cpu, self.tasks) != (None, None, None)


@dataclass(frozen=True)
class ActSettings:
    """The settings of one Act; `run_as` is the user it runs as, '' for the Venue's user.

    `give_up_after` is as in the Settings; None means the Venue's. `health` is None unless it is
    set.
    """

    run_as: str = ""
    limits: Limits = field(default_factory=Limits)
    give_up_after: int | None = None
    health: HealthCheck | None = None


@dataclass(frozen=True)
class Settings:
    """The settings in venue.yaml.

    `ports` is the range of ports for new Acts, both ends included; `limits` apply to the whole
    Venue; `acts` holds the settings of single Acts by name; `watcher` tells whether the Venue is to
    have a watcher. An Act is stopped after `give_up_after` failed starts in a row; 0 means never.
    Before systemd stops the Venue, its Acts are drained for `drain` seconds. The targets in
    `notify` are told of Acts in trouble. The members of the system's `group` share the Venue; ''
    means that it is not shared.
    """

    ports: range = range(8001, 9000)
    limits: Limits = field(default_factory=Limits)
    logs: Logs = Logs.FILES
    give_up_after: int = 0
    drain: float = 0.0
    acts: Mapping[str, ActSettings] = field(default_factory=dict)
    watcher: bool = True
    notify: tuple[Target, ...] = ()
    group: str = ""

    def give_up(self, name: str) -> int:
        """After how many failed starts in a row this Act is stopped; 0 means never."""
        own = self.act(name).give_up_after
        return self.give_up_after if own is None else own

    def act(self, name: str) -> ActSettings:
        return self.acts.get(name, ActSettings())


def readable_settings(path: Path) -> Settings | None:
    """What a venue.yaml says; None if it cannot be read."""
    with suppress(SettingsError, OSError):
        return read_settings(path)
    return None


def read_settings(path: Path) -> Settings:
    """Read and check a venue.yaml. Raises SettingsError, which names the line."""
    document = top_node(path)
    if document is None:
        return Settings()
    return _Reader(path).filled(Settings(), document, "settings", _VENUE)


def lines_of_acts(path: Path) -> dict[str, int]:
    """The lines at which a venue.yaml begins the settings of each Act. Raises SettingsError."""
    return {key.value: key.start_mark.line + 1 for key in _keys_of_acts(path)}


def with_act_renamed(path: Path, before: str, after: str) -> str:
    """The text of a venue.yaml in which the settings of one Act are those of another one.

    Comments and order stay as they are. Raises SettingsError.
    """
    text = contents(path).decode()
    for key in _keys_of_acts(path):
        if key.value == before:
            return f"{text[: key.start_mark.index]}{after}{text[key.end_mark.index :]}"
    return text


def _keys_of_acts(path: Path) -> list[Node]:
    document, reader = top_node(path), _Reader(path)
    top = reader.pairs(document, "settings") if document else []
    acts = [value for key, value in top if key.value == "acts"]
    return [key for node in acts for key, _ in reader.pairs(node, "acts")]


_T = TypeVar("_T")
_Readers = Mapping[str, Callable[["_Reader", Node], object]]


@dataclass(frozen=True)
class _Reader:
    """Converts the nodes of one file to values; its errors name the line."""

    path: Path

    def filled(self, empty: _T, node: Node, what: str, known: _Readers) -> _T:
        """`empty` with the fields that a mapping sets."""
        values: dict[str, object] = {}
        for key, value in self.pairs(node, what):
            if key.value not in known:
                names = ", ".join(known)
                raise self.fault(key, f"unknown key {_shown(key)}; known keys: {names}")
            values[key.value] = known[key.value](self, value)
        return replace(empty, **values)  # type: ignore[type-var]

    def pairs(self, node: Node, what: str) -> list[tuple[Node, Node]]:
        if not isinstance(node, MappingNode):
            raise self.fault(node, f"{what} must be lines of `key: value`")
        if strange := [key for key, _ in node.value if not isinstance(key, ScalarNode)]:
            raise self.fault(strange[0], f"{what} must be lines of `key: value`")
        first: dict[str, Node] = {}
        for key, _ in node.value:
            if (before := first.setdefault(key.value, key)) is not key:
                where = f"already in line {self.line_of(before)}; remove one of the two"
                raise self.fault(key, f"{_shown(key)} is {where}")
        return list(node.value)

    def ports(self, node: Node) -> range:
        try:
            return port_range(_word(node))
        except ValueError as error:
            raise self.fault(node, str(error)) from error

    def limits(self, node: Node) -> Limits:
        return self.filled(Limits(), node, "limits", _LIMITS)

    def memory(self, node: Node) -> int:
        match = _SIZE.fullmatch(_word(node))
        size = int(match[1]) * _UNITS[match[2]] if match else 0
        if size > _MOST_MEMORY:
            raise self.fault(node, f"memory must be a size below 8388608T, not {_shown(node)}")
        if size < _LEAST_MEMORY:
            what = "memory must be a size of at least 16M, such as 300M or 2G"
            raise self.fault(node, f"{what}, not {_shown(node)}")
        return size

    def cpu(self, node: Node) -> int:
        match = _PERCENT.fullmatch(_word(node))
        if not match or not int(match[1]):
            said = f"cpu must be a share of one processor, such as 50%, not {_shown(node)}"
            raise self.fault(node, said)
        return int(match[1])

    def tasks(self, node: Node) -> int:
        tasks = _number(node)
        if tasks is None or tasks < _LEAST_TASKS:
            said = f"tasks must be a number, at least {_LEAST_TASKS}, not {_shown(node)}"
            raise self.fault(node, said)
        return tasks

    def tries(self, node: Node) -> int:
        if _word(node) == _NEVER:
            return 0
        tries = _number(node)
        if tries is None or not 1 <= tries <= _MOST_TRIES:
            said = f"give_up_after must be a number from 1 to {_MOST_TRIES}, or {_NEVER}"
            raise self.fault(node, f"{said}, not {_shown(node)}")
        return tries

    def logs(self, node: Node) -> Logs:
        try:
            return Logs(_word(node))
        except ValueError as error:
            raise self.fault(node, f"logs must be files or journal, not {_shown(node)}") from error

    def watcher(self, node: Node) -> bool:
        word = _word(node)
        if word not in {"on", "off"}:
            raise self.fault(node, f"watcher must be on or off, not {_shown(node)}")
        return word == "on"

    def notify(self, node: Node) -> tuple[Target, ...]:
        if not isinstance(node, SequenceNode):
            raise self.fault(node, f"notify must be a list of URLs and commands, not {_kind(node)}")
        if len(node.value) > _MOST_TARGETS:
            raise self.fault(node, f"notify must have at most {_MOST_TARGETS} targets")
        return tuple(map(self.target, node.value))

    def target(self, node: Node) -> Target:
        if isinstance(node, MappingNode):
            target = self.filled(Target(), node, "a target of notify", _TARGET)
            if not target.command:
                raise self.fault(node, "a target of notify must be a URL, or `command: …`")
            return target
        # It is not repeated: it may hold a password.
        if not _TARGET_URL.fullmatch(_word(node)):
            said = "a target of notify must be a URL such as mailto://user:password@example.org"
            raise self.fault(node, f"{said}, or `command: /path/of/a/program`")
        return Target(url=_word(node))

    def program(self, node: Node) -> str:
        word = self.line(node)
        if len(word) > _LONGEST_COMMAND:
            raise self.fault(node, f"a command must have at most {_LONGEST_COMMAND} characters")
        return word

    def user(self, node: Node) -> str:
        if not _USER.fullmatch(_word(node)):
            raise self.fault(node, f"run_as must be the name of a user, not {_shown(node)}")
        return _word(node)

    def group(self, node: Node) -> str:
        if not _USER.fullmatch(_word(node)):
            raise self.fault(node, f"group must be the name of a group, not {_shown(node)}")
        return _word(node)

    def health(self, node: Node) -> HealthCheck:
        if isinstance(node, ScalarNode):
            return (
                HealthCheck() if _word(node) == "none" else HealthCheck(path=self.path_of_url(node))
            )
        check = self.filled(HealthCheck(), node, "health", _HEALTH)
        if bool(check.path) == bool(check.command):
            raise self.fault(node, "health must have either a path or a command")
        if check.command and (check.text or check.status is not None):
            raise self.fault(node, "status and text apply to a path, not to a command")
        return check

    def path_of_url(self, node: Node) -> str:
        word = _word(node)
        if not _URL_PATH.fullmatch(word):
            said = f"a health path must begin with / and have no spaces, not {_shown(node)}"
            raise self.fault(node, said)
        return word

    def status(self, node: Node) -> int:
        status = _number(node)
        if status is None or status not in _STATUSES:
            raise self.fault(node, f"status must be an HTTP status such as 204, not {_shown(node)}")
        return status

    def line(self, node: Node) -> str:
        word = _word(node)
        if not word.strip() or not _is_line(word):
            raise self.fault(node, f"text and command must be one line, not {_shown(node)}")
        return word

    def timeout(self, node: Node) -> float:
        return self.seconds(node, "timeout")

    def drain(self, node: Node) -> float:
        return self.seconds(node, "drain")

    def host(self, node: Node) -> str:
        word = _word(node)
        if not _HOST.fullmatch(word):
            raise self.fault(node, f"host must be a host name, not {_shown(node)}")
        return word

    def seconds(self, node: Node, what: str) -> float:
        match = _SECONDS.fullmatch(_word(node))
        if not match or not 0 < float(match[1]) <= _LONGEST_TIMEOUT:
            said = f"{what} must be seconds, up to {_LONGEST_TIMEOUT}, not {_shown(node)}"
            raise self.fault(node, said)
        return float(match[1])

    def acts(self, node: Node) -> dict[str, ActSettings]:
        return {
            str(name.value): self.filled(
                ActSettings(), value, f"the settings of {_cut(name.value)}", _ACT
            )
            for name, value in self.pairs(node, "acts")
        }

    def fault(self, node: Node, why: str) -> SettingsError:
        return SettingsError(self.path, self.line_of(node), why)

    def line_of(self, node: Node) -> int:
        return int(node.start_mark.line) + 1


def port_range(text: str) -> range:
    """A range such as 8001-8999, both ends included. Raises ValueError with the reason."""
    words = text.split("-")
    if len(words) != 2 or not all(_NUMBER.fullmatch(word.strip()) for word in words):
        given = f", not {text[:20]}" if text else ""
        raise ValueError(f"ports must be a range such as 8001-8999{given}")
    first, last = (int(word) for word in words)
    if not _LOWEST_PORT <= first <= last <= _HIGHEST_PORT:
        within = f"{_LOWEST_PORT}-{_HIGHEST_PORT}"
        raise ValueError(f"ports {first}-{last} is not an ascending range within {within}")
    return range(first, last + 1)


def _word(node: Node) -> str:
    """The text of a scalar value; '' for a list or a mapping."""
    return str(node.value) if isinstance(node, ScalarNode) else ""


def _number(node: Node) -> int | None:
    """The number that a scalar value is, if it is one."""
    word = _word(node)
    return int(word) if _NUMBER.fullmatch(word) else None


def _is_line(word: str) -> bool:
    """Whether a text is of one line, and can be the argument of a program."""
    return all(sign == "\t" or category(sign) not in _UNPRINTED for sign in word)


def _shown(node: Node) -> str:
    """A value as written in the file, for an error message; a long one is cut."""
    if isinstance(node, ScalarNode):
        return repr(_cut(str(node.value)))
    return "a list" if isinstance(node, SequenceNode) else "a mapping"


def _cut(word: str) -> str:
    return word if len(word) <= _LONGEST_SHOWN else f"{word[: _LONGEST_SHOWN - 1]}…"


def _kind(node: Node) -> str:
    """What a value is, without the value."""
    return "a single value" if isinstance(node, ScalarNode) else "a mapping"


_TARGET: _Readers = {"command": _Reader.program}
_LIMITS: _Readers = {"memory": _Reader.memory, "cpu": _Reader.cpu, "tasks": _Reader.tasks}
_HEALTH: _Readers = {
    "path": _Reader.path_of_url,
    "status": _Reader.status,
    "text": _Reader.line,
    "command": _Reader.line,
    "timeout": _Reader.timeout,
    "host": _Reader.host,
}
_ACT: _Readers = {
    "run_as": _Reader.user,
    "limits": _Reader.limits,
    "give_up_after": _Reader.tries,
    "health": _Reader.health,
}
_VENUE: _Readers = {
    "ports": _Reader.ports,
    "limits": _Reader.limits,
    "logs": _Reader.logs,
    "give_up_after": _Reader.tries,
    "drain": _Reader.drain,
    "acts": _Reader.acts,
    "watcher": _Reader.watcher,
    "notify": _Reader.notify,
    "group": _Reader.group,
}
