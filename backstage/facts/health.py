"""How an Act is asked whether visitors get an answer."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class HealthCheck:
    """A GET request for `path`, or a `command` run in the Act's directory if there is one.

    The answer must have the HTTP status `status`, any below 500 if that is None, and contain
    `text`; a command must exit with 0. Either has `timeout` seconds. With neither path nor command,
    the Act is not asked.
    """

    path: str = ""
    status: int | None = None
    text: str = ""
    command: str = ""
    timeout: float = 5.0

    def __bool__(self) -> bool:
        return bool(self.path or self.command)
