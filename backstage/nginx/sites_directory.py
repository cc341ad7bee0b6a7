"""nginx's directory of sites: puts files in place there, and restores them."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..layout.paths import ActPaths
from ..system import files
from .site import Site, read_record

_OURS = "backstage-*.conf"


@dataclass(frozen=True)
class Placed:
    """One of our sites and its file; `edited` tells whether it was edited by hand."""

    site: Site
    file: Path
    edited: bool


@dataclass(frozen=True)
class Place:
    """The directory that nginx.conf includes; Debian's contains links to sites-available."""

    included: Path

    @property
    def is_linked(self) -> bool:
        return self.included.name == "sites-enabled" and self._available.is_dir()

    def file(self, name: str) -> Path:
        """Where a file of this name is written."""
        return self._written / name

    def paths(self, name: str) -> tuple[Path, ...]:
        """Everything that makes nginx read it: the file, and the link if one is needed."""
        return tuple(dict.fromkeys((self.file(name), self.included / name)))

    def sites(self) -> Iterator[Placed]:
        """Every site of ours, for all Venues."""
        for path in sorted(self._written.glob(_OURS)):
            if record := read_record(path.read_text(errors="surrogateescape")):
                yield Placed(record.site, path, record.edited)

    def site_of(self, act_paths: ActPaths) -> Placed | None:
        """The site of an Act, if it is bound."""
        mine = (act_paths.name, str(act_paths.venue.top))
        return next((e for e in self.sites() if (e.site.act, e.site.venue) == mine), None)

    def is_in_place(self, name: str) -> bool:
        """Whether nginx reads it."""
        return (self.included / name).exists()

    def write(self, name: str, text: str) -> None:
        """Put a file in place."""
        files.write_atomically(self.file(name), text)
        link = self.included / name
        if self.is_linked and not link.is_symlink():
            link.symlink_to(self.file(name))

    def remove(self, name: str) -> None:
        """Remove a file."""
        for path in reversed(self.paths(name)):
            path.unlink(missing_ok=True)

    @property
    def _written(self) -> Path:
        return self._available if self.is_linked else self.included

    @property
    def _available(self) -> Path:
        return self.included.parent / "sites-available"


@dataclass(frozen=True)
class FileBackup:
    """What was at a path: a file with its mode, a link with its target, or nothing."""

    path: Path
    content: bytes | None = None
    mode: int = 0
    link: str = ""

    @classmethod
    def of(cls, path: Path) -> FileBackup:
        if path.is_symlink():
            return cls(path, link=str(path.readlink()))
        if path.exists():
            return cls(path, path.read_bytes(), stat.S_IMODE(path.stat().st_mode))
        return cls(path)

    def put_back(self) -> None:
        """Restore it."""
        if self == FileBackup.of(self.path):
            return
        self.path.unlink(missing_ok=True)
        if self.link:
            self.path.symlink_to(self.link)
        elif self.content is not None:
            files.write_atomically(self.path, self.content, mode=self.mode)
