"""The log files of Acts and of the Emperor, which uWSGI writes: their ends, and what is added."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path

from ..system.files import NOT_THERE, open_regular

_log = logging.getLogger("backstage")

_ENOUGH = 64 * 1024
_BLOCK = 32 * 1024
# In bytes; a longer line comes in pieces.
_LONGEST = 1024 * 1024


def size(path: Path) -> int:
    """The length of a log in bytes; 0 if there is none that can be read."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def tail(path: Path, lines: int, *, since: int = 0) -> str:
    """The last `lines` lines, none of them from before the byte `since`.

    A log that was rotated in the meantime is read from its new beginning.
    """
    try:
        with os.fdopen(open_regular(path), "rb") as file:
            end = file.seek(0, 2)
            begin = since if since <= end else 0
            file.seek(max(begin, end - _ENOUGH))
            text = file.read().decode(errors="replace")
    except OSError as error:
        if error.errno not in NOT_THERE:
            raise
        return ""
    return "\n".join(text.splitlines()[-lines:])


def make_private(path: Path) -> None:
    """Have a log that only its owner and group can read, whatever the umask of who writes it."""
    path.touch(mode=0o640)
    if path.stat().st_mode & 0o007:
        path.chmod(0o640)


def rotated(path: Path) -> Path:
    """The path of the previous log, after a rotation."""
    return path.with_name(f"{path.name}.1")


class LogFile:
    """An open log, read in blocks from `position`; it remains the same file if it is renamed.

    Close it.
    """

    def __init__(self, path: Path) -> None:
        self._descriptor = open_regular(path)
        self._rest = b""
        self.position = 0

    @property
    def size(self) -> int:
        return os.fstat(self._descriptor).st_size

    @property
    def modified(self) -> float:
        """Its mtime, in seconds since the epoch."""
        return os.fstat(self._descriptor).st_mtime

    def is_replaced(self, path: Path) -> bool:
        """Whether another file is at this path now."""
        try:
            return not os.path.samestat(os.fstat(self._descriptor), path.stat())
        except OSError:
            return False

    def last(self, lines: int) -> tuple[int, int]:
        """The offset of the last lines, and their number; the last one may be incomplete."""
        wanted, end = lines, self.size
        lowest = max(0, end - lines * _LONGEST)
        if not wanted:
            return self.line_start(end), 0
        # No line begins after the newline at the very end.
        above = end - 1
        while above > lowest:
            start = max(lowest, above - _BLOCK)
            block = os.pread(self._descriptor, above - start, start)
            count = block.count(b"\n")
            if count >= wanted:
                at = len(block)
                for _ in range(wanted):
                    at = block.rindex(b"\n", 0, at)
                return start + at + 1, lines
            wanted -= count
            above = start
        return lowest, lines - wanted + min(end, 1)

    def line_start(self, at: int) -> int:
        """The offset of the line that contains the byte `at`, or of the piece of a longer one."""
        lowest = max(0, at - _LONGEST)
        while at > lowest:
            start = max(lowest, at - _BLOCK)
            block = os.pread(self._descriptor, at - start, start)
            newline = block.rfind(b"\n")
            if newline >= 0:
                return start + newline + 1
            at = start
        return lowest

    def sample(self, at: int, length: int) -> list[str]:
        """The complete lines within `length` bytes from `at`."""
        lines = os.pread(self._descriptor, length, at).split(b"\n")
        return [_decoded(line) for line in lines[1 if at else 0 : -1]]

    def lines(self, until: int | None = None) -> Iterator[str]:
        """The complete lines between `position` and the present end, or `until`.

        A log that was truncated is read from its new beginning.
        """
        end = self.size
        if end < self.position:
            yield from self.rest()
            self.position = 0
        end = end if until is None else min(end, until)
        while self.position < end:
            block = os.pread(self._descriptor, min(_BLOCK, end - self.position), self.position)
            if not block:
                return
            self.position += len(block)
            *lines, self._rest = (self._rest + block).split(b"\n")
            yield from map(_decoded, lines)
            if len(self._rest) > _LONGEST:
                yield from self.rest()

    def rest(self) -> Iterator[str]:
        """The last line, if it is incomplete."""
        if self._rest:
            yield _decoded(self._rest)
            self._rest = b""

    def close(self) -> None:
        os.close(self._descriptor)


class GrowingLog:
    """The log at a path as it grows, even if it is rotated, truncated or does not exist yet."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.file: LogFile | None = None
        self._refused = False

    def open(self) -> LogFile | None:
        """The file that is being read; None while there is none."""
        if self.file is None:
            try:
                self.file = LogFile(self.path)
            except FileNotFoundError:
                return None
            except OSError as error:
                self._refuse(error)
        return self.file

    def news(self) -> Iterator[str]:
        """The complete lines added since the last call."""
        while file := self.open():
            yield from file.lines()
            if not file.is_replaced(self.path):
                return
            # Lines added before it was renamed; its last line will never be completed.
            yield from file.lines()
            yield from file.rest()
            self.close()

    def close(self) -> None:
        """Close the file; further calls do nothing."""
        if self.file:
            self.file.close()
            self.file = None

    def _refuse(self, error: OSError) -> None:
        if not self._refused:
            self._refused = True
            _log.warning("%s cannot be read: %s", self.path, error.strerror)


def _decoded(line: bytes) -> str:
    # Zero bytes fill the gap if a program goes on at its old offset in a truncated log.
    return line.lstrip(b"\0").removesuffix(b"\r").decode(errors="replace")
