"""How much an archive may hold, so that a small one cannot fill the disk."""

from __future__ import annotations

from dataclasses import dataclass


class Refused(Exception):
    """Raised when an archive is not unpacked; says why, of the archive as `it`."""


@dataclass(frozen=True)
class Limits:
    """The most that is unpacked of an archive, in members and in bytes.

    One that becomes more than `ratio` times as large is refused, unless it stays below `freely`.
    """

    members: int = 200_000
    size: int = 8 * 1024**3
    ratio: int = 200
    freely: int = 128 * 1024**2

    def check(self, unpacked: int, packed: int) -> None:
        """Raise Refused if that is too much."""
        if unpacked > self.size:
            most = self.size // 1024**2
            raise Refused(f"it holds more than {most} MB; unpack it and give the directory")
        if unpacked > self.freely and unpacked > packed * self.ratio:
            raise Refused(
                f"it holds more than {self.ratio} times its own size, as archives do that are made "
                "to fill disks; if you trust it, unpack it and give the directory"
            )
