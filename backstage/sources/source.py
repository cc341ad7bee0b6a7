"""The source of an Act: a directory, a git repository, an archive, a wheel or a package."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from enum import Enum
from pathlib import Path

from ..errors import SourceRefused
from ..facts.command_line import join
from ..facts.invisible import visible
from ..system import refusals
from . import urls, wheels
from .urls import ARCHIVES, Login

_PACKAGE = re.compile(
    r"(?P<name>[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?(?:\[[A-Za-z0-9._, -]+\])?)"
    r" ?== ?(?P<version>[0-9A-Za-z][0-9A-Za-z.!+_-]*)\Z"
)
_VERSION = re.compile(r"[0-9A-Za-z][0-9A-Za-z.!+_-]*\Z")
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?\Z")
# git allows none of these in the name of a branch or a tag; an option begins with -.
_NO_REF = re.compile(r"\A[-/.]|[\0-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|[/.]\Z|\.lock(?:/|\Z)|\A@?\Z")


class Kind(Enum):
    """What a source is, which decides how it is fetched."""

    DIRECTORY = "directory"
    REPOSITORY = "git repository"
    ARCHIVE = "archive"
    WHEEL = "wheel"
    PACKAGE = "package"


@dataclass(frozen=True)
class Source:
    """Where the code of an Act comes from.

    `ref` is a branch, a tag or a commit of a repository ('' is its HEAD), or the version of a
    package. `login` stood in the URL; it is part of no text, so it is gone after this call.
    """

    kind: Kind
    location: str
    ref: str = ""
    login: Login | None = field(default=None, repr=False, compare=False)

    def __str__(self) -> str:
        """What `Source.of` makes this source of again, together with `ref`."""
        is_package = self.kind is Kind.PACKAGE
        return f"{self.location}=={self.ref}" if is_package else self.location

    @property
    def path(self) -> Path:
        """The directory, the archive or the wheel."""
        return Path(self.location)

    @classmethod
    def of(cls, text: str, ref: str = "") -> Source:
        """The source that a user named, from this directory. Raises SourceRefused.

        Nothing is asked but the file system. A `ref` wins over one that is part of the text.
        """
        if not text or visible(text) != text or "\n" in text:
            raise SourceRefused(visible(text), "it is empty, or has characters that nobody sees")
        path = _absolute(text)
        with refusals.telling(f"cannot look at {urls.without_login(text)}"):
            if os.path.lexists(path) and "://" not in text:
                return _of_path(path, ref)
        if found := urls.parse(text):
            return cls(Kind.REPOSITORY, found.text, _checked(ref or found.ref, text), found.login)
        if package := _PACKAGE.match(text):
            return _package(package["name"], ref or package["version"])
        raise SourceRefused(urls.without_login(text), _why_nothing(text, path))

    def at(self, ref: str) -> Source:
        """The same source at another ref. Raises SourceRefused if it has none."""
        return replace(Source.of(str(self), ref), login=self.login)


def _absolute(text: str) -> Path:
    try:
        path = Path(text).expanduser()
    except RuntimeError:
        # There is no such user.
        path = Path(text)
    return Path(os.path.normpath(path.absolute()))


def _of_path(path: Path, ref: str) -> Source:
    if path.is_dir():
        return _of_directory(path, ref)
    kind = _kind_of_file(path)
    if ref:
        raise SourceRefused(str(path), "only repositories and packages have a ref")
    return Source(kind, str(path))


def _of_directory(path: Path, ref: str) -> Source:
    is_bare = (path / "HEAD").is_file() and (path / "objects").is_dir() and (path / "refs").is_dir()
    if is_bare or (ref and os.path.lexists(path / ".git")):
        return Source(Kind.REPOSITORY, str(path), _checked(ref, str(path)))
    if not ref:
        return Source(Kind.DIRECTORY, str(path))
    if top := next((each for each in path.parents if os.path.lexists(each / ".git")), None):
        why = f"it is a part of the repository {top}; to have its ref {ref!r}, give that one"
        raise SourceRefused(str(path), why)
    raise SourceRefused(str(path), f"it is no git repository, so it has no ref {ref!r}")


def _kind_of_file(path: Path) -> Kind:
    name = path.name.lower()
    if not path.is_file():
        what = "a link to nothing" if path.is_symlink() else "neither a directory nor a file"
        raise SourceRefused(str(path), f"it is {what}")
    if not name.endswith(ARCHIVES):
        raise SourceRefused(str(path), f"it is a file, but none of {' '.join(ARCHIVES)}")
    is_installed = name.endswith(".whl") and not wheels.holds_project(path)
    return Kind.WHEEL if is_installed else Kind.ARCHIVE


def _package(name: str, version: str) -> Source:
    if not _VERSION.match(version):
        raise SourceRefused(name, f"{version!r} is no version; as in: {name}==1.4")
    return Source(Kind.PACKAGE, name.replace(" ", ""), version)


def _checked(ref: str, text: str) -> str:
    """A ref that git can have. Raises SourceRefused."""
    if ref and _NO_REF.search(ref):
        shown = visible(ref).replace("\n", "\\n")
        why = f"{shown!r} cannot be a ref; give a branch, a tag or a commit"
        raise SourceRefused(urls.without_login(text), why)
    return ref


def _why_nothing(text: str, path: Path) -> str:
    """Why a text that is no URL and no package names nothing, and what may have been meant."""
    beside = _names_in(path.parent)
    if alike := get_close_matches(path.name, beside, n=1):
        return f"there is no {path}; did you mean {path.parent / alike[0]}?"
    if " @ " in text:
        return "give the URL behind the @ alone"
    if _NAME.match(text):
        look = join(["uv", "pip", "compile", "--no-deps", "-"])
        return (
            f"there is no directory {path}, and a package of the index needs its version, as in "
            f"{text}==1.4; to see the newest, type: echo {text} | {look}"
        )
    return f"there is no {path}"


def _names_in(directory: Path) -> list[str]:
    try:
        return sorted(os.listdir(directory))
    except OSError:
        return []
