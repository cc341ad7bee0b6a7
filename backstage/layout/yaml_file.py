"""Reading a YAML file whose writer may have made any mistake: as nodes, which know their lines."""

from __future__ import annotations

import os
from pathlib import Path

import yaml
from yaml import MappingNode as MappingNode
from yaml import Node as Node
from yaml import ScalarNode as ScalarNode
from yaml import SequenceNode as SequenceNode

from ..errors import SettingsError
from ..system.files import open_regular

# In bytes; a thousand Acts with every setting need less.
_LONGEST_FILE = 1024**2
# Settings are nested four deep; a file that goes much deeper would exhaust the stack.
_DEEPEST = 20


def top_node(path: Path) -> Node | None:
    """The top node of a YAML file; None if it is empty. Raises SettingsError, with the line."""
    return node_of(_text(path), path)


def node_of(text: str, path: Path) -> Node | None:
    """The same for a text that is, or is to be, in the file at `path`."""
    line: int | None
    try:
        loader = _Loader(text)
    except yaml.reader.ReaderError as error:
        line, sign = text.count("\n", 0, error.position) + 1, ascii(text[error.position])
        raise SettingsError(path, line, f"not valid YAML: it has the character {sign}") from error
    try:
        return loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        at = error.problem_mark or error.context_mark
        line = at.line + 1 if at else None
        raise SettingsError(path, line, f"not valid YAML: {error.problem}") from error
    except (ValueError, OverflowError) as error:
        # Of a number in a directive or in an escape, which PyYAML does not check.
        said = "not valid YAML: a number in it is too large"
        raise SettingsError(path, loader.line + 1, said) from error


def _text(path: Path) -> str:
    try:
        if not path.is_file():
            raise SettingsError(path, None, "is not a file")
        with os.fdopen(open_regular(path), "rb") as file:
            data = file.read(_LONGEST_FILE + 1)
    except OSError as error:
        raise SettingsError(path, None, f"cannot be read: {error.strerror}") from error
    if len(data) > _LONGEST_FILE:
        raise SettingsError(path, None, f"is longer than {_LONGEST_FILE // 1024} KB")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise SettingsError(path, line, "not valid YAML: it is not UTF-8") from error


class _Loader(yaml.SafeLoader):
    """Composes the nodes of a file, but not too deep ones."""

    depth = 0

    def compose_node(self, parent: Node | None, index: int) -> Node | None:
        self.depth += 1
        if self.depth > _DEEPEST:
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.MarkedYAMLError(problem="it is nested too deep", problem_mark=mark)
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node
