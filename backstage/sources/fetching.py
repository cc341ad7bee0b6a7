"""Fetch a source into a directory: all of it, or nothing."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path

from ..errors import CannotWrite, SourceRefused
from ..facts.command_line import join
from ..facts.invisible import visible
from ..system import refusals, umask
from ..system.files import remove_tree
from . import archives, directories, packages, repositories, tree
from .fetched import Fetched
from .source import Kind, Source


def fetch(source: Source, into: Path, *, without: Collection[str] = ()) -> Fetched:
    """Put the code of a source into `into`, which is missing or empty.

    It appears there complete, or not at all; what a killed call has left beside it is removed by
    the next. `without` are paths of a directory that are not copied. Raises SourceRefused,
    CannotWrite if the disk is full, or SystemRefused.
    """
    action = f"cannot fetch {source}"
    with refusals.telling(action, kind=CannotWrite), umask.closed():
        part = into.with_name(f".{into.name}.part")
        remove_tree(part)
        part.mkdir(mode=0o700, parents=True)
        try:
            fetched = _fetchers(without)[source.kind](source, part)
            _refuse_unfit(source, part)
            tree.restrict(part)
            part.chmod(0o755)
            # An empty directory is replaced; one that is not makes this fail.
            part.rename(into)
        except BaseException:
            remove_tree(part)
            raise
    return fetched


def _fetchers(without: Collection[str]) -> dict[Kind, Callable[[Source, Path], Fetched]]:
    return {
        Kind.DIRECTORY: lambda source, top: directories.copy(source.path, top, without),
        Kind.REPOSITORY: repositories.fetch,
        Kind.ARCHIVE: lambda source, top: archives.unpack(source.path, top),
        Kind.WHEEL: lambda source, top: packages.bring(source.path, top),
        Kind.PACKAGE: lambda source, top: packages.ask_for(str(source), top),
    }


def _refuse_unfit(source: Source, top: Path) -> None:
    """Refuse a tree that is not all of the code, or that reaches out of itself."""
    if not any(top.iterdir()):
        raise SourceRefused(str(source), "there is nothing in it")
    if source.kind is not Kind.DIRECTORY and (found := next(tree.links_out(top), "")):
        why = f"it has a link that leads out of it, or in a circle: {visible(found)}"
        raise SourceRefused(str(source), why)
    if pointers := tree.pointers(top):
        where = source.location if source.kind is Kind.DIRECTORY else "DIRECTORY"
        pull = join(["git", "-C", where, "lfs", "pull"])
        names = ", ".join(map(visible, pointers[:3]))
        why = f"{len(pointers)} of its files are pointers of Git LFS: {names}; type: {pull}"
        raise SourceRefused(str(source), why)
