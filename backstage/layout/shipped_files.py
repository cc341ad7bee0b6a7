"""The files shipped with the library, and the text of copies made from them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

_DISTRIBUTION = "django_backstage"
_MARKER = re.compile(r"@([A-Z]+)@")
_VARIABLE = re.compile(r"\{\{ ([a-z_]+) \}\}")


@dataclass(frozen=True)
class File:
    """A file to write; `path` is relative to the top of the tree."""

    path: Path
    content: bytes
    mode: int


def shelf(name: str) -> Path:
    """The directory of shipped files called `name`.

    `emperor` and `vassal_templates` are inside the installed package, but beside it in a checkout
    or an editable install.
    """
    inside = Path(__file__).parents[1] / name
    return inside if inside.is_dir() else inside.parent.parent / name


def shipped(*place: str) -> list[Path]:
    """The files in a directory of shipped files, sorted by name; without `__pycache__`."""
    return sorted(path for path in shelf(place[0]).joinpath(*place[1:]).iterdir() if path.is_file())


def version() -> str:
    """The version of this library; '' if it is not installed."""
    try:
        return metadata.version(_DISTRIBUTION)
    except metadata.PackageNotFoundError:
        return ""


def digest() -> str:
    """The digest of everything that is copied into Venues."""
    names = shelf("emperor"), shelf("vassal_templates"), shelf("scaffolds") / "venue" / "templates"
    files = [path for place in names for path in sorted(place.iterdir()) if path.is_file()]
    parts = [
        b"%s %d\n%s" % (path.name.encode(), path.stat().st_size, path.read_bytes())
        for path in files
    ]
    return hashlib.sha256(b"".join(parts)).hexdigest()


def configuration(shelf_name: str, file_name: str, **markers: str) -> str:
    """A shipped configuration file with its `@MARKERS@` filled in."""
    return filled(shelf(shelf_name) / file_name, **markers)


def filled(source: Path, **markers: str) -> str:
    """The text of a shipped file with its `@MARKERS@` filled in."""
    text = source.read_text(encoding="utf-8")
    return _MARKER.sub(lambda match: markers.get(match[1].lower(), match[0]), text)


def project_files(template: Path, variables: Mapping[str, str]) -> list[File]:
    """Render a project template by Django's convention.

    `project_name` in paths is replaced; files ending in `.py-tpl` become `.py`, with their
    `{{ variables }}` filled in; all other files are copied unchanged.
    """
    return [
        _project_file(source, source.relative_to(template), variables)
        for source in sorted(template.rglob("*"))
        if source.is_file() and source.parent.name != "__pycache__"
    ]


def _project_file(source: Path, path: Path, variables: Mapping[str, str]) -> File:
    name = str(path).replace("project_name", variables["project_name"])
    content = source.read_bytes()
    if name.endswith(".py-tpl"):
        name = name.removesuffix("-tpl")
        text = content.decode()
        content = _VARIABLE.sub(lambda m: variables.get(m[1], m[0]), text).encode()
    return File(Path(name), content, source.stat().st_mode & 0o777)
