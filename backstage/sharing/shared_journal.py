"""The logs of another user's Venue, for a member of the group that it is shared with."""

from __future__ import annotations

from typing import Any

from ..logs.journal import Journal
from ..logs.source import LogLine
from .connection import Connection
from .requests import Ask


class SharedJournal(Journal):
    """An iterator over the lines that the watcher tells; it reads no file."""

    def __init__(self, connection: Connection, **fields: Any) -> None:
        self._connection = connection
        self._is_closed = False
        connection.wait_without_end()
        self._told = connection.ask(LogLine, Ask.LOGS, **fields)

    def __next__(self) -> LogLine:
        try:
            line: LogLine = next(self._told)
        except BaseException:
            is_closed = self._is_closed
            self.close()
            if is_closed:
                raise StopIteration from None
            raise
        return line

    def close(self) -> None:
        self._is_closed = True
        self._connection.close()

    def _release(self) -> None:
        self.close()
