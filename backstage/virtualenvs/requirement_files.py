"""Requirements files, read to see what they name; uv installs what they say.

The format: https://pip.pypa.io/en/stable/reference/requirements-file-format/.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from ..errors import SettingsError
from ..system.files import contents

_COMMENT = re.compile(r"(?:^|\s)#.*$")
_INCLUDE = re.compile(r"(?:-r|--requirements?)(?:\s+|=|(?<=-r))(?P<file>\S+)$")
_INDEX = re.compile(r"(?:-i|-f|--(?:extra-)?index-url|--pypi-url|--find-links)[\s=]*(?P<url>\S+)$")
_OPTION = re.compile(r"\s--?[a-z][a-z-]*[\s=].*$")


@dataclass(frozen=True)
class Line:
    """One line that says something, with those that continue it."""

    text: str
    file: Path
    number: int

    @property
    def requirement(self) -> Requirement | None:
        """What it requires; None if it is an option or a path."""
        try:
            return Requirement(_OPTION.sub("", self.text))
        except InvalidRequirement:
            return None

    @property
    def name(self) -> str:
        """The name of the package that it requires; '' if it has none."""
        requirement = self.requirement
        return str(canonicalize_name(requirement.name)) if requirement else ""

    @property
    def index(self) -> str:
        """The URL of the index that it names; '' if it names none."""
        found = _INDEX.match(self.text)
        return found["url"] if found else ""

    @property
    def is_option(self) -> bool:
        """Whether it tells how to install, and nothing that is to be installed."""
        return self.text.startswith("-") and not self._is_editable

    @property
    def is_local(self) -> bool:
        """Whether it names files beside it: a project, an archive, a wheel."""
        requirement = self.requirement
        if requirement:
            return (requirement.url or "").startswith("file:")
        return self._is_editable or (not self.is_option and "://" not in self.text)

    @property
    def has_hash(self) -> bool:
        return "--hash" in self.text

    @property
    def _is_editable(self) -> bool:
        return self.text.startswith(("-e", "--editable"))


def read(file: Path) -> list[Line]:
    """The lines of a requirements file and of those that it includes. Raises SettingsError."""
    return list(_read(file, ()))


def lines_of(text: str, file: Path) -> Iterator[Line]:
    """The lines of a text in this format."""
    parts: list[str] = []
    began = 0
    for number, raw in enumerate(text.splitlines(), 1):
        line = _COMMENT.sub("", raw)
        began = began if parts else number
        parts.append(line.rstrip().removesuffix("\\").strip())
        if line.rstrip().endswith("\\"):
            continue
        if told := " ".join(filter(None, parts)):
            yield Line(told, file, began)
        parts = []


def names(lines: Iterable[Line]) -> frozenset[str]:
    """The packages that these lines name."""
    return frozenset(line.name for line in lines if line.name)


def _read(file: Path, above: tuple[Path, ...]) -> Iterator[Line]:
    try:
        text = contents(file).decode()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(file, None, f"cannot be read: {error}") from error
    for line in lines_of(text, file):
        included = _INCLUDE.match(line.text)
        if not included:
            yield line
            continue
        inner = file.parent / included["file"]
        if inner in (*above, file):
            raise SettingsError(file, line.number, f"{inner.name} includes itself")
        yield from _read(inner, (*above, file))
