"""Ports for this test process only, even if other users run tests on this host.

They are below the ports that the kernel gives to clients, and above the default ports of Venues.
"""

from __future__ import annotations

import socket
from contextlib import suppress
from functools import cache

from backstage.system import sockets

_FIRST, _LAST, _SIZE = 10_000, 32_000, 400
# This many ports at the end of a block are not for new Acts.
_SPARE = 80


class OwnPorts:
    """A block of ports; `of_acts` is the range for the Acts of new Venues."""

    def __init__(self, block: range, holder: socket.socket) -> None:
        self.of_acts = block[:-_SPARE]
        self._spare = block[-_SPARE:]
        self._given = 0
        self._holder = holder

    def take(self) -> int:
        """A port that is not in use; each is given out again as late as possible."""
        while True:
            port = self._spare[self._given % _SPARE]
            self._given += 1
            if not sockets.in_use(port, "0.0.0.0"):
                return port


@cache
def own_ports() -> OwnPorts:
    """The block of this process, held by a socket name that the kernel frees when it dies."""
    holder = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    for first in range(_FIRST, _LAST, _SIZE):
        with suppress(OSError):
            holder.bind(f"\0backstage-ports-{first}")
            return OwnPorts(range(first, first + _SIZE), holder)
    raise AssertionError(f"other test processes hold all ports from {_FIRST} to {_LAST}")
