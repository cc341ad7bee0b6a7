"""What is in an archive, member by member, whatever its format."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import re
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import IO

from .limits import Limits, Refused

DAMAGE = (
    *(tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, struct.error),
    *(ValueError, OverflowError, RecursionError, NotImplementedError),
)
_COMMIT = re.compile(r"(?:[0-9a-f]{40}|[0-9a-f]{64})\Z")
_BLOCK = 512
# The most that the readers of archives ask for at once, but for headers that somebody made up.
_LONGEST_READ = 1 << 20
_ENCRYPTED = 1
_MADE_ON_UNIX = 3


class Kind(Enum):
    """What a member becomes."""

    FILE = "file"
    DIRECTORY = "directory"
    LINK = "link"
    HARD_LINK = "hard link"
    OTHER = "a device or a pipe"


@dataclass(frozen=True)
class Member:
    """One entry of an archive, as the archive describes it. `target` is where a link leads."""

    name: str
    kind: Kind
    size: int
    mode: int
    target: str
    open: Callable[[], IO[bytes]]


def of_tar(path: Path, file: IO[bytes], limits: Limits) -> Iterator[Member]:
    """The members of a .tar, in its order; each has to be read before the next."""
    stream = _Unpacked(_decompressed(path, file), limits, os.fstat(file.fileno()).st_size)
    with tarfile.TarFile(fileobj=stream, mode="r") as archive:  # type: ignore[arg-type]
        while info := archive.next():
            yield _tar_member(archive, info)
            # It would keep all headers.
            archive.members = []  # type: ignore[attr-defined]
    stream.finish()


def of_zip(file: IO[bytes]) -> Iterator[Member]:
    """The members of a .zip."""
    with zipfile.ZipFile(file) as archive:
        for info in archive.infolist():
            yield _zip_member(archive, info)


def commit(path: Path, file: IO[bytes]) -> str:
    """The commit that `git archive` wrote into what it made; '' if there is none."""
    try:
        if path.name.lower().endswith((".zip", ".whl")):
            with zipfile.ZipFile(file) as archive:
                found = archive.comment.decode("ascii", "replace")
        else:
            limits = Limits()
            stream = _Unpacked(_decompressed(path, file), limits, os.fstat(file.fileno()).st_size)
            with tarfile.TarFile(fileobj=stream, mode="r") as tar:  # type: ignore[arg-type]
                found = tar.pax_headers.get("comment", "")
    except (*DAMAGE, OSError):
        return ""
    return found if _COMMIT.match(found) else ""


def _decompressed(path: Path, file: IO[bytes]) -> IO[bytes]:
    kind = path.name.lower().rpartition(".")[2]
    if kind in {"gz", "tgz"}:
        return gzip.GzipFile(fileobj=file)  # type: ignore[return-value]
    if kind in {"xz", "txz"}:
        return lzma.LZMAFile(file)
    return bz2.BZ2File(file) if kind in {"bz2", "tbz2"} else file


def _tar_member(archive: tarfile.TarFile, info: tarfile.TarInfo) -> Member:
    kind = Kind.OTHER
    if info.isreg():
        kind = Kind.FILE
    elif info.isdir():
        kind = Kind.DIRECTORY
    elif info.issym():
        kind = Kind.LINK
    elif info.islnk():
        kind = Kind.HARD_LINK
    size = info.size if kind is Kind.FILE else 0
    opener = lambda: archive.extractfile(info) or io.BytesIO()  # noqa: E731
    return Member(info.name, kind, size, info.mode, info.linkname, opener)


def _zip_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Member:
    if info.flag_bits & _ENCRYPTED:
        raise Refused(f"{info.filename!r} in it is encrypted")
    mode = info.external_attr >> 16 if info.create_system == _MADE_ON_UNIX else 0
    kind, target = Kind.FILE, ""
    if info.is_dir() or stat.S_ISDIR(mode):
        kind = Kind.DIRECTORY
    elif stat.S_ISLNK(mode):
        kind = Kind.LINK
        with archive.open(info) as file:
            target = os.fsdecode(file.read(_LONGEST_READ))
    elif stat.S_IFMT(mode) not in {0, stat.S_IFREG}:
        kind = Kind.OTHER
    return Member(
        info.orig_filename, kind, info.file_size, mode or 0o644, target, lambda: archive.open(info)
    )


class _Unpacked:
    """The bytes of a compressed tar, as `tarfile` reads them, with an end to its patience."""

    def __init__(self, stream: IO[bytes], limits: Limits, packed: int) -> None:
        self._stream = stream
        self._limits = limits
        self._packed = packed
        self._last = b""

    def read(self, size: int) -> bytes:
        if size > _LONGEST_READ:
            raise Refused("a header in it says that it is longer than any can be")
        self._last = self._stream.read(size)
        self._limits.check(self._stream.tell(), self._packed)
        return self._last

    def seek(self, place: int) -> int:
        self._limits.check(place, self._packed)
        return self._stream.seek(place)

    def tell(self) -> int:
        return self._stream.tell()

    def finish(self) -> None:
        """Read what follows the last member, which has the check sum.

        `tarfile` takes what it does not understand for the end.
        """
        if self._last != bytes(_BLOCK):
            raise Refused("it is cut off, or damaged in the middle")
        while self.read(_LONGEST_READ):
            pass
