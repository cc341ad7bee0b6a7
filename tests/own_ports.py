"""Ports that are this test process's own, whoever else tests on this host, under whatever user.

They lie below those that the kernel gives to clients, and above those that Venues have by default.
"""

from __future__ import annotations

import socket
from contextlib import suppress
from functools import cache

from backstage.system import sockets

_FIRST, _LAST, _SIZE = 10_000, 32_000, 400
# So many at the end of a block are for what is no new Act.
_SPARE = 80


class OwnPorts:
    """A block of ports; `of_acts` are those that Acts of new Venues choose from."""

    def __init__(self, block: range, holder: socket.socket) -> None:
        self.of_acts = block[:-_SPARE]
        self._spare = block[-_SPARE:]
        self._given = 0
        self._holder = holder

    def take(self) -> int:
        """A port that nobody has, and that is given again as late as can be."""
        while True:
            port = self._spare[self._given % _SPARE]
            self._given += 1
            if not sockets.in_use(port, "0.0.0.0"):
                return port


@cache
def own_ports() -> OwnPorts:
    """The block of this process; the kernel takes back the name that holds it when it dies."""
    holder = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    for first in range(_FIRST, _LAST, _SIZE):
        with suppress(OSError):
            holder.bind(f"\0backstage-ports-{first}")
            return OwnPorts(range(first, first + _SIZE), holder)
    raise AssertionError(f"other tests have all ports from {_FIRST} to {_LAST}")
