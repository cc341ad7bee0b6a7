"""Asking a port whether somebody answers there."""

from __future__ import annotations

import select
import socket
from collections.abc import Iterable
from contextlib import ExitStack, suppress

from .deadlines import Deadline
from .vassal import Address

# Answered by scaffolded Acts before anything else of theirs; any answer of others counts as well.
_REQUEST = b"GET /healthz HTTP/1.0\r\nHost: localhost\r\nUser-Agent: backstage\r\n\r\n"


class Probe:
    """One question to an address, asked again whenever the connection is refused or lost.

    A request that arrives while the application is still loading waits in the socket's queue and
    is answered the moment it can be: no polling could be faster.
    """

    def __init__(self, address: Address) -> None:
        self.address = address
        self._socket: socket.socket | None = None

    def begin(self) -> bool:
        """Ask, unless a question is under way; whether there is somebody to ask."""
        if self._socket is None:
            self._socket = self._ask()
        return self._socket is not None

    def answered(self, wait: float) -> bool:
        """Whether an answer came within `wait` seconds from now."""
        if not self.begin() or self._socket is None:
            return False
        if not self.address.speaks_http:
            return True
        # poll, not select, which fails where a process has more than a thousand files open.
        waiting = select.poll()
        waiting.register(self._socket, select.POLLIN)
        if not waiting.poll(wait * 1000):
            return False
        try:
            if self._socket.recv(16):
                return True
        except OSError:
            pass
        self.close()
        return False

    @property
    def asking(self) -> bool:
        """Whether a question is under way; otherwise nobody listens."""
        return self._socket is not None

    def fileno(self) -> int:
        """What to wait on for the answer to a question under way."""
        return self._socket.fileno() if self._socket else -1

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _ask(self) -> socket.socket | None:
        try:
            connection = connect(self.address, timeout=1.0)
        except OSError:
            return None
        if self.address.speaks_http:
            with suppress(OSError):
                connection.sendall(_REQUEST)
        return connection


def connect(address: Address, timeout: float) -> socket.socket:
    """A TCP connection to an address. Raises OSError."""
    return socket.create_connection((address.reachable_host, address.port), timeout=timeout)


def answering(addresses: Iterable[Address], wait: float) -> set[Address]:
    """Those addresses that answer a request within `wait` seconds, all asked at once."""
    deadline = Deadline(wait)
    with ExitStack() as closing:
        probes = [Probe(address) for address in addresses]
        for probe in probes:
            closing.callback(probe.close)
            probe.answered(0)
        return {probe.address for probe in probes if probe.answered(deadline.remaining)}
