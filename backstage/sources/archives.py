"""Unpack an archive that anybody may have made."""

from __future__ import annotations

import os
import re
import stat
from contextlib import ExitStack
from pathlib import Path
from typing import IO

from ..errors import SourceRefused
from ..system.files import open_regular, remove_tree
from . import members, tree
from .fetched import Fetched
from .limits import Limits, Refused
from .members import Kind, Member

_CONTROL = re.compile(r"[\0-\x1f\x7f-\x9f]")
_ZIPS = (".zip", ".whl")
# What macOS puts beside everything that it archives.
_OF_MACOS = "__MACOSX"
_CHUNK = 1 << 18


def unpack(path: Path, top: Path, limits: Limits | None = None) -> Fetched:
    """Unpack an archive into an empty directory. Raises SourceRefused, or OSError of the disk."""
    try:
        with os.fdopen(open_regular(path), "rb") as file:
            _Unpacking(top, limits or Limits(), os.fstat(file.fileno()).st_size).take(path, file)
            file.seek(0)
            commit = members.commit(path, file)
    except Refused as error:
        raise SourceRefused(str(path), str(error)) from error
    except (*members.DAMAGE, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise SourceRefused(str(path), f"it is damaged, or no {_format(path)}: {error}") from error
    remove_tree(top / _OF_MACOS)
    _strip(top)
    tree.prune(top)
    return Fetched(f"{path} at {commit[:7]}" if commit else str(path), commit)


def _format(path: Path) -> str:
    return "zip" if path.name.lower().endswith(_ZIPS) else "tar of that kind"


def _strip(top: Path) -> None:
    """Lift what is in a single top directory, as most archives have one."""
    found = list(os.scandir(top))
    if len(found) != 1 or not found[0].is_dir(follow_symlinks=False):
        return
    # What is in it may have its name.
    inner = top / f".{os.urandom(8).hex()}"
    Path(found[0].path).rename(inner)
    for entry in os.scandir(inner):
        Path(entry.path).rename(top / entry.name)
    inner.rmdir()


class _Unpacking:
    """Writes members below a directory, and counts them."""

    def __init__(self, top: Path, limits: Limits, packed: int) -> None:
        self._top = top
        self._limits = limits
        self._packed = packed
        self._size = 0
        self._count = 0
        self._made: dict[str, Kind] = {}

    def take(self, path: Path, file: IO[bytes]) -> None:
        is_zip = path.name.lower().endswith(_ZIPS)
        found = members.of_zip(file) if is_zip else members.of_tar(path, file, self._limits)
        for member in found:
            if is_zip and "\\" in member.name:
                raise Refused(f"{member.name!r} in it is a name of Windows; make it with / instead")
            self._count += 1
            if self._count > self._limits.members:
                raise Refused(f"it has more than {self._limits.members} members")
            self._add(member)

    def _add(self, member: Member) -> None:
        name = _checked(member)
        if name == ".":
            return
        self._claim(name, member.kind)
        place = self._top / name
        if member.kind is Kind.DIRECTORY:
            place.mkdir(exist_ok=True)
        elif member.kind is Kind.LINK:
            place.symlink_to(_target(member))
        elif member.kind is Kind.HARD_LINK:
            self._link(member, place)
        else:
            self._write(member, place)

    def _claim(self, name: str, kind: Kind) -> None:
        """Note a name, once, and make the directories above it, which must not be links."""
        parent = ""
        for part in name.split("/")[:-1]:
            parent = f"{parent}/{part}" if parent else part
            if self._made.setdefault(parent, Kind.DIRECTORY) is not Kind.DIRECTORY:
                raise Refused(f"{name!r} in it is below {parent!r}, which is no directory")
            (self._top / parent).mkdir(exist_ok=True)
        if name in self._made and not (kind is self._made[name] is Kind.DIRECTORY):
            raise Refused(f"it has {name!r} twice")
        self._made[name] = kind

    def _link(self, member: Member, place: Path) -> None:
        target = _path(member.target)
        if self._made.get(target) is not Kind.FILE:
            raise Refused(
                f"{member.name!r} in it links to {member.target!r}, which is no file of it"
            )
        os.link(self._top / target, place, follow_symlinks=False)
        self._made[_path(member.name)] = Kind.FILE

    def _write(self, member: Member, place: Path) -> None:
        self._limits.check(self._size + member.size, self._packed)
        mode = tree.kept_mode(stat.S_IFREG | member.mode)
        target = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
        with ExitStack() as closing:
            writing = closing.enter_context(os.fdopen(target, "wb"))
            reading = closing.enter_context(member.open())
            written = 0
            while block := reading.read(_CHUNK):
                written += len(block)
                self._limits.check(self._size + written, self._packed)
                writing.write(block)
        if written != member.size:
            raise Refused(f"{member.name!r} in it is cut off")
        self._size += written


def _checked(member: Member) -> str:
    """The path of a member below the top. Raises Refused for one that leads elsewhere."""
    if _CONTROL.search(member.name):
        raise Refused(f"it has a name with a control character: {member.name!r}")
    if member.kind is Kind.OTHER:
        raise Refused(f"{member.name!r} in it is {member.kind.value}")
    return _path(member.name)


def _path(name: str) -> str:
    """A name in its shortest form, relative to the top. Raises Refused."""
    parts = [part for part in name.split("/") if part not in {"", "."}]
    if name.startswith("/") or ".." in parts or not name:
        raise Refused(f"{name!r} in it would be outside of its directory")
    return "/".join(parts) or "."


def _target(member: Member) -> str:
    if not member.target or "\0" in member.target:
        raise Refused(f"{member.name!r} in it is a link to nothing")
    return member.target
