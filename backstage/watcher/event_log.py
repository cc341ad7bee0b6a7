"""The file to which the watcher appends what happens: two of them at most, and a line at a time."""

from __future__ import annotations

import errno
import os
import stat
from io import FileIO
from pathlib import Path

from ..logs.log_files import rotated

# The file is renamed before it becomes larger, in bytes.
MOST = 5_000_000
_FLAGS = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class EventLog:
    """Appends lines; whoever is killed or out of space meanwhile leaves at most half a line."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def append(self, line: bytes) -> None:
        """Append a line, given without its end. Raises OSError; then the line is lost."""
        with self._open() as file:
            if os.fstat(file.fileno()).st_size + len(line) <= MOST:
                _write(file, line)
                return
        self._path.replace(rotated(self._path))
        with self._open() as file:
            _write(file, line)

    def _open(self) -> FileIO:
        file = FileIO(os.open(self._path, _FLAGS, 0o600), "r+")
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            file.close()
            raise FileExistsError(errno.EEXIST, "is no regular file", str(self._path))
        return file


def _write(file: FileIO, line: bytes) -> None:
    end = file.seek(0, os.SEEK_END)
    is_half = end > 0 and os.pread(file.fileno(), 1, end - 1) != b"\n"
    file.write((b"\n" if is_half else b"") + line + b"\n")
