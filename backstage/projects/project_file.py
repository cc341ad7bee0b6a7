"""project.yaml: what is known of an adopted project, for every face to obey and people to edit."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path, PurePosixPath

from ..errors import SettingsError
from ..layout.yaml_file import MappingNode, Node, ScalarNode, SequenceNode, node_of, top_node
from ..system.files import contents

# What YAML reads as the same text without quotes, wherever it stands.
_PLAIN = re.compile(r"[A-Za-z0-9_/.][\w/.+@~%=-]*(?:[ :][\w/.+@~%=-]+)*")
_MODULE = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*")
_APPLICATION = re.compile(rf"{_MODULE.pattern}:[A-Za-z_]\w*(?:\(\))?")
_URL_PATH = re.compile(r"/[!-~]*")
_NAME = re.compile(r"[A-Za-z0-9_][\w.-]{0,62}")
_KEEP = re.compile(r"[1-9][0-9]{0,2}")
_LONGEST_LINE = 1000
_LONGEST_SHOWN = 60
_MOST = 200

Value = str | tuple[str, ...] | Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class ProjectFile:
    """The keys of a project.yaml; what is empty is left out of the file.

    `manage` is as `str(Manage)` tells it; `wsgi` and `asgi` are `module:callable`. `static` and
    `media` map URL prefixes to directories, `databases` maps aliases to SQLite files, or to URLs
    without passwords. Relative paths in them begin at the project's directory. `data` has the paths
    that are kept across releases, `files` maps paths in a release to the files that are put there,
    `companions` maps names to commands. `build` runs before static files are collected. `keep` is
    how many releases are kept.
    """

    source: str = ""
    ref: str = ""
    manage: str = ""
    settings: str = ""
    wsgi: str = ""
    asgi: str = ""
    python: str = ""
    build: tuple[str, ...] = ()
    static: Mapping[str, str] = field(default_factory=dict)
    media: Mapping[str, str] = field(default_factory=dict)
    databases: Mapping[str, str] = field(default_factory=dict)
    data: tuple[str, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    companions: Mapping[str, str] = field(default_factory=dict)
    health: str = ""
    keep: str = ""

    def text(self, origins: Mapping[str, str] | None = None) -> str:
        """A new file, with a comment for each key; `origins` says where a value was found."""
        told = origins or {}
        given = {key: value for key in _KEYS if (value := self.value(key))}
        entries = (_entry(key, value, told.get(key, "")) for key, value in given.items())
        return "\n".join([_HEAD, *entries])

    def value(self, key: str) -> Value:
        found: Value = getattr(self, key)
        return found


def read(path: Path) -> ProjectFile:
    """Read and check a project.yaml. Raises SettingsError, which names the line."""
    return _read(path, top_node(path))


def changed(path: Path, changes: Mapping[str, Value]) -> str:
    """The text of a project.yaml in which these keys have these values; an empty one is removed.

    All other lines stay as they are, and so do comments beside and above a value. Raises
    SettingsError if the file, or a new value, is not valid.
    """
    document = top_node(path)
    before = _read(path, document)
    after = _merged(path, before, changes)
    text = _edited(contents(path).decode(), document, before, changes)
    try:
        is_so = _read(path, node_of(text, path)) == after
    except SettingsError:
        is_so = False
    # A file in one line, or with references from one line to another, has no lines of its own.
    return text if is_so else after.text()


def _merged(path: Path, before: ProjectFile, changes: Mapping[str, Value]) -> ProjectFile:
    text = replace(before, **changes).text()  # type: ignore[arg-type]
    return _read(path, node_of(text, path))


def _edited(
    text: str, document: Node | None, before: ProjectFile, changes: Mapping[str, Value]
) -> str:
    pairs = document.value if isinstance(document, MappingNode) else []
    for key, node in reversed(pairs):
        if key.value in changes and before.value(key.value) != changes[key.value]:
            text = _with(text, key, node, changes[key.value])
    known = {key.value for key, _ in pairs}
    for name in _KEYS:
        if name not in known and changes.get(name):
            text = f"{text.rstrip()}\n\n{_entry(name, changes[name])}".lstrip()
    return text


def _with(text: str, key: Node, node: Node, value: Value) -> str:
    """The text with another value for one key."""
    start, end = _span(text, key, node)
    if not value:
        return text[:start] + text[end:].lstrip("\n")
    if isinstance(value, str) and isinstance(node, ScalarNode) and node.style not in ("|", ">"):
        at, to = node.start_mark.index, node.end_mark.index
        space = "" if text[at - 1 : at].isspace() else " "
        return f"{text[:at]}{space}{_scalar(value)}{text[to:]}"
    return text[:start] + _lines(str(key.value), value) + text[end:]


def _span(text: str, key: Node, node: Node) -> tuple[int, int]:
    """Where the lines of a key begin and end, without the blank lines and comments after it."""
    start = key.start_mark.index
    lines = text[start : node.end_mark.index].rstrip().splitlines(keepends=True)
    while len(lines) > 1 and (not lines[-1].strip() or lines[-1].lstrip().startswith("#")):
        lines.pop()
    end = start + len("".join(lines).rstrip("\n"))
    newline = text.find("\n", end)
    return start, len(text) if newline < 0 else newline + 1


def _entry(key: str, value: Value, origin: str = "") -> str:
    found = f" Found in {origin}." if origin.isprintable() and origin else ""
    return f"# {_KEYS[key].comment}{found}\n{_lines(key, value)}"


def _lines(key: str, value: Value) -> str:
    if isinstance(value, str):
        return f"{key}: {_scalar(value)}\n"
    if isinstance(value, Mapping):
        pairs = "".join(f"  {_scalar(name)}: {_scalar(text)}\n" for name, text in value.items())
        return f"{key}:\n{pairs}"
    return f"{key}:\n" + "".join(f"  - {_scalar(each)}\n" for each in value)


def _scalar(text: str) -> str:
    """A text as YAML reads it back."""
    return (
        text
        if _PLAIN.fullmatch(text) and "://" not in text
        else json.dumps(text, ensure_ascii=False)
    )


def _read(path: Path, document: Node | None) -> ProjectFile:
    reader = _Reader(path)
    values = dict(reader.values(document)) if document else {}
    return replace(ProjectFile(), **values)  # type: ignore[arg-type]


@dataclass(frozen=True)
class _Reader:
    """Converts the nodes of one file to values; its errors name the line."""

    path: Path

    def values(self, document: Node) -> list[tuple[str, Value]]:
        return [
            (key.value, self._known(key).reads(self, key.value, node))
            for key, node in self.pairs(document, "project.yaml")
        ]

    def pairs(self, node: Node, what: str) -> list[tuple[Node, Node]]:
        pairs = node.value if isinstance(node, MappingNode) else None
        if pairs is None or not all(isinstance(key, ScalarNode) for key, _ in pairs):
            raise self.fault(node, f"{what} must be lines of `key: value`")
        first: dict[str, Node] = {}
        for key, _ in pairs:
            if (before := first.setdefault(key.value, key)) is not key:
                where = f"already in line {before.start_mark.line + 1}; remove one of the two"
                raise self.fault(key, f"{_shown(key)} is {where}")
        if len(pairs) > _MOST:
            raise self.fault(node, f"{what} must have at most {_MOST} lines")
        return list(pairs)

    def line(self, key: str, node: Node) -> str:
        """One line of text."""
        text = str(node.value) if isinstance(node, ScalarNode) else ""
        if not text.strip() or not text.isprintable() or len(text) > _LONGEST_LINE:
            raise self.fault(node, f"{key} must be one line, not {_shown(node)}")
        return text

    def module(self, key: str, node: Node) -> str:
        return self._like(_MODULE, key, node, "a module such as shop.settings")

    def application(self, key: str, node: Node) -> str:
        return self._like(_APPLICATION, key, node, "an application such as shop.wsgi:application")

    def url(self, key: str, node: Node) -> str:
        return self._like(_URL_PATH, key, node, "a path such as /healthz")

    def number(self, key: str, node: Node) -> str:
        return self._like(_KEEP, key, node, "a number from 1 to 999")

    def lines(self, key: str, node: Node) -> tuple[str, ...]:
        if not isinstance(node, SequenceNode) or len(node.value) > _MOST:
            raise self.fault(node, f"{key} must be a list of at most {_MOST} lines")
        return tuple(self.line(key, each) for each in node.value)

    def paths(self, key: str, node: Node) -> tuple[str, ...]:
        found = self.lines(key, node)
        for path, each in zip(found, node.value, strict=True):
            self._refuse_outside(key, path, each)
        return found

    def prefixes(self, key: str, node: Node) -> dict[str, str]:
        return {
            self.url(f"a URL of {key}", name): self.line(key, value)
            for name, value in self.pairs(node, key)
        }

    def named(self, key: str, node: Node) -> dict[str, str]:
        return {
            self._like(_NAME, f"a name in {key}", name, "a word"): self.line(key, value)
            for name, value in self.pairs(node, key)
        }

    def placed(self, key: str, node: Node) -> dict[str, str]:
        for name, _ in self.pairs(node, key):
            self._refuse_outside(key, self.line(key, name), name)
        return {str(name.value): self.line(key, value) for name, value in self.pairs(node, key)}

    def fault(self, node: Node, why: str) -> SettingsError:
        return SettingsError(self.path, int(node.start_mark.line) + 1, why)

    def _like(self, pattern: re.Pattern[str], key: str, node: Node, what: str) -> str:
        if not pattern.fullmatch(text := self.line(key, node)):
            raise self.fault(node, f"{key} must be {what}, not {_shown(node)}")
        return text

    def _refuse_outside(self, key: str, path: str, node: Node) -> None:
        if path.startswith("/") or ".." in PurePosixPath(path).parts:
            raise self.fault(node, f"{key} must name what is in the project, not {_shown(node)}")

    def _known(self, key: Node) -> _Key:
        if key.value in _KEYS:
            return _KEYS[key.value]
        near = get_close_matches(str(key.value)[:_LONGEST_SHOWN], _KEYS, n=1)
        hint = f"did you mean {near[0]}?" if near else f"known keys: {', '.join(_KEYS)}"
        raise self.fault(key, f"unknown key {_shown(key)}; {hint}")


def _shown(node: Node) -> str:
    """A value as written in the file, for an error message; a long one is cut."""
    if isinstance(node, ScalarNode):
        text = str(node.value)
        return repr(text if len(text) <= _LONGEST_SHOWN else f"{text[: _LONGEST_SHOWN - 1]}…")
    return "a list" if isinstance(node, SequenceNode) else "a mapping"


@dataclass(frozen=True)
class _Key:
    """How a key is read, and what it is for, as a comment above it."""

    reads: Callable[[_Reader, str, Node], Value]
    comment: str


_HEAD = """\
# What Backstage knows of this project. Every command obeys it. Edit it as you like: comments and
# what you change stay as they are.
"""
_KEYS = {
    "source": _Key(_Reader.line, "Where the code comes from."),
    "ref": _Key(_Reader.line, "The branch, tag or commit of it."),
    "manage": _Key(
        _Reader.line, "What runs management commands: a file, a program, or -m package."
    ),
    "settings": _Key(_Reader.module, "The settings module (DJANGO_SETTINGS_MODULE)."),
    "wsgi": _Key(_Reader.application, "The WSGI application."),
    "asgi": _Key(_Reader.application, "The ASGI application."),
    "python": _Key(_Reader.line, "The Python that it needs."),
    "build": _Key(_Reader.lines, "What is run before static files are collected."),
    "static": _Key(_Reader.prefixes, "Static files: the URL, and the directory that has them."),
    "media": _Key(_Reader.prefixes, "Uploaded files: the URL, and the directory that has them."),
    "databases": _Key(_Reader.named, "Databases: the alias, and the file or server."),
    "data": _Key(_Reader.paths, "Files and directories that stay when the code is replaced."),
    "files": _Key(_Reader.placed, "Files put into each release: the place, and the file."),
    "companions": _Key(_Reader.named, "Programs that run beside the web processes."),
    "health": _Key(_Reader.url, "The page that tells whether it is well."),
    "keep": _Key(_Reader.number, "How many releases are kept."),
}
