"""Reading the ends of log files, and what is added to them."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path

_log = logging.getLogger("backstage")

_ENOUGH = 64 * 1024
_BLOCK = 32 * 1024
# A line that is longer comes in pieces, in bytes.
_LONGEST = 1024 * 1024


def size(path: Path) -> int:
    """The length of a log in bytes, 0 where there is none."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def tail(path: Path, lines: int, *, since: int = 0) -> str:
    """The last `lines` lines, none of them from before the byte `since`.

    A log that was rotated meanwhile is read from its new beginning.
    """
    try:
        with path.open("rb") as file:
            end = file.seek(0, 2)
            begin = since if since <= end else 0
            file.seek(max(begin, end - _ENOUGH))
            text = file.read().decode(errors="replace")
    except FileNotFoundError:
        return ""
    return "\n".join(text.splitlines()[-lines:])


def rotated(path: Path) -> Path:
    """Where a log lies once it has become too long and a new one was begun."""
    return path.with_name(f"{path.name}.1")


class LogFile:
    """An open log, read in blocks from `position` on; it stays this file whatever its name becomes.

    Close it.
    """

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._rest = b""
        self.position = 0

    @property
    def size(self) -> int:
        return os.fstat(self._descriptor).st_size

    @property
    def modified(self) -> float:
        """When it was last written to, in seconds since the epoch."""
        return os.fstat(self._descriptor).st_mtime

    def is_replaced(self, path: Path) -> bool:
        """Whether another file has this path now."""
        try:
            return not os.path.samestat(os.fstat(self._descriptor), path.stat())
        except OSError:
            return False

    def last(self, lines: int) -> tuple[int, int]:
        """Where the last lines begin, and how many of them there are; one may be half written."""
        wanted, end = lines, self.size
        if not wanted:
            return self.line_start(end), 0
        # The end of the last line is the beginning of none.
        above = end - 1
        while above > 0:
            start = max(0, above - _BLOCK)
            block = os.pread(self._descriptor, above - start, start)
            count = block.count(b"\n")
            if count >= wanted:
                at = len(block)
                for _ in range(wanted):
                    at = block.rindex(b"\n", 0, at)
                return start + at + 1, lines
            wanted -= count
            above = start
        return 0, lines - wanted + min(end, 1)

    def line_start(self, at: int) -> int:
        """Where the line begins that the byte `at` is in."""
        while at > 0:
            start = max(0, at - _BLOCK)
            block = os.pread(self._descriptor, at - start, start)
            newline = block.rfind(b"\n")
            if newline >= 0:
                return start + newline + 1
            at = start
        return 0

    def sample(self, at: int, length: int) -> list[str]:
        """The complete lines among so many bytes from `at` on."""
        lines = os.pread(self._descriptor, length, at).split(b"\n")
        return [_decoded(line) for line in lines[1 if at else 0 : -1]]

    def lines(self, until: int | None = None) -> Iterator[str]:
        """The complete lines between `position` and what is the end now, or `until`.

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
        """The last line, if it is half written."""
        if self._rest:
            yield _decoded(self._rest)
            self._rest = b""

    def close(self) -> None:
        os.close(self._descriptor)


class GrowingLog:
    """The log at a path as it grows, also when it is rotated, truncated or not there yet."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.file: LogFile | None = None
        self._refused = False

    def open(self) -> LogFile | None:
        """The file that is read at present; None while there is none."""
        if self.file is None:
            try:
                self.file = LogFile(self.path)
            except FileNotFoundError:
                return None
            except OSError as error:
                self._refuse(error)
        return self.file

    def news(self) -> Iterator[str]:
        """The complete lines that were added since the last time."""
        while file := self.open():
            yield from file.lines()
            if not file.is_replaced(self.path):
                return
            # What was added before it was renamed; nobody completes its last line now.
            yield from file.lines()
            yield from file.rest()
            self.close()

    def close(self) -> None:
        """Give the file back; a second time does nothing."""
        if self.file:
            self.file.close()
            self.file = None

    def _refuse(self, error: OSError) -> None:
        if not self._refused:
            self._refused = True
            _log.warning("%s cannot be read: %s", self.path, error.strerror)


def _decoded(line: bytes) -> str:
    # Zeros stand where a log was truncated under a program that goes on at its own place.
    return line.lstrip(b"\0").removesuffix(b"\r").decode(errors="replace")
