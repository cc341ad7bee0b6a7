"""Copy the code in a directory, as it is now."""

from __future__ import annotations

import errno
import os
import shutil
import stat
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import SourceRefused
from ..facts.command_line import join
from ..facts.invisible import visible
from . import repositories, tree
from .fetched import Fetched

_TOLD = 3


@dataclass
class _Listing:
    """What there is to copy, by paths relative to the source, directories first."""

    directories: list[tuple[str, int]] = field(default_factory=list)
    files: list[tuple[str, os.stat_result]] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)


def copy(source: Path, top: Path, without: Collection[str] = ()) -> Fetched:
    """Copy a directory into an empty one. Raises SourceRefused, or OSError.

    `without` are paths in it that are not copied, such as of its media. A link that leads out of it
    leads to the same place from the copy, and is noted.
    """
    _refuse_unfit(source)
    commit = repositories.describe(source)
    listing = _list(source, top, frozenset(without))
    _refuse_too_large(listing, top)
    for name, mode in listing.directories:
        (top / name).mkdir(tree.kept_mode(mode))
    for name, facts in listing.files:
        _copy_file(source / name, top / name, facts)
    notes = [*_copy_links(listing.links, source, top), *_not_copied(listing.others)]
    if commit is None:
        return Fetched(str(source), notes=(*_unread(source), *notes))
    what = f"{source} {commit.what}".strip()
    return Fetched(what, commit.commit, commit.is_dirty, (*commit.notes, *notes))


def _refuse_unfit(source: Path) -> None:
    if (source / "venue.yaml").exists():
        raise SourceRefused(str(source), "it is a Venue; give the directory of one project")
    if missing := repositories.missing_submodules(source):
        names = ", ".join(map(visible, missing[:_TOLD]))
        fetch = join(["git", "-C", str(source), "submodule", "update", "--init", "--recursive"])
        why = f"its submodules are not checked out: {names}; type: {fetch}"
        raise SourceRefused(str(source), why)


def _list(source: Path, top: Path, without: frozenset[str]) -> _Listing:
    listing = _Listing()
    is_left_out = tree.left_out(source)
    waiting = [source]
    while waiting:
        for entry in _entries(waiting.pop()):
            name = os.path.relpath(entry.path, source)
            if is_left_out(entry) or name in without or _holds(entry, top):
                continue
            facts = entry.stat(follow_symlinks=False)
            if stat.S_ISDIR(facts.st_mode):
                listing.directories.append((name, facts.st_mode))
                waiting.append(Path(entry.path))
            elif stat.S_ISREG(facts.st_mode):
                listing.files.append((name, facts))
            elif stat.S_ISLNK(facts.st_mode) and not tree.is_circle(entry.path):
                listing.links.append(name)
            else:
                listing.others.append(name)
    return listing


def _entries(directory: Path) -> list[os.DirEntry[str]]:
    with os.scandir(directory) as found:
        return sorted(found, key=lambda entry: entry.name)


def _holds(entry: os.DirEntry[str], top: Path) -> bool:
    """Whether the copy is being made in a directory of the source: it would never end."""
    return entry.is_dir(follow_symlinks=False) and Path(entry.path) == top


def _refuse_too_large(listing: _Listing, top: Path) -> None:
    """Raise OSError if the disk has no room for all of it, before anything is written."""
    block = os.statvfs(top).f_frsize
    needed = sum(-(-facts.st_size // block) * block for _, facts in listing.files)
    if needed > shutil.disk_usage(top).free:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(top))


def _copy_file(source: Path, target: Path, facts: os.stat_result) -> None:
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    with (
        os.fdopen(os.open(source, flags), "rb", buffering=0) as reading,
        os.fdopen(_created(target, facts.st_mode), "wb", buffering=0) as writing,
    ):
        shutil.copyfileobj(reading, writing, 1 << 20)
        os.utime(writing.fileno(), ns=(facts.st_atime_ns, facts.st_mtime_ns))


def _created(target: Path, mode: int) -> int:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    return os.open(target, flags, tree.kept_mode(mode))


def _copy_links(names: list[str], source: Path, top: Path) -> Iterator[str]:
    """Make the links again; yields a note on those that lead out of the source."""
    out = []
    for name in names:
        target = _target(source / name, source)
        (top / name).symlink_to(target)
        if target.startswith("/"):
            out.append(f"{visible(name)} -> {visible(target)}")
    if out:
        more = f" and {len(out) - _TOLD} more" if len(out) > _TOLD else ""
        yield f"leads out of the code, which changes with it: {', '.join(out[:_TOLD])}{more}"


def _target(link: Path, source: Path) -> str:
    """Where the copy of a link leads: as it did, but within the copy if it did so in the source."""
    whole, real = os.path.realpath(source), os.path.realpath(link)
    if real != whole and not real.startswith(whole + os.sep):
        return real
    written = str(link.readlink())
    stays = os.path.normpath(os.path.join(os.path.relpath(link.parent, source), written))
    if not stays.startswith(("/", "..")):
        return written
    return os.path.relpath(real, os.path.realpath(link.parent))


def _unread(source: Path) -> Iterator[str]:
    if os.path.lexists(source / ".git"):
        yield "its commit is unknown: git is missing, or does not read another user's repository"


def _not_copied(names: list[str]) -> Iterator[str]:
    if names:
        more = f" and {len(names) - _TOLD} more" if len(names) > _TOLD else ""
        shown = ", ".join(map(visible, names[:_TOLD]))
        yield f"not copied, because it leads nowhere or is no file: {shown}{more}"
