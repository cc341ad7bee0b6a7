"""Asking a port whether somebody answers there."""

from __future__ import annotations

import contextlib
import select
import socket

from .vassal import Address

# Answered by scaffolded Acts before anything else of theirs; any answer of others counts as well.
_REQUEST = b"GET /healthz HTTP/1.0\r\nHost: localhost\r\nUser-Agent: backstage\r\n\r\n"


class Probe:
    """One question to an address, asked again whenever the connection is refused or lost.

    A request that arrives while the application is still loading waits in the socket's queue and
    is answered the moment it can be: no polling could be faster.
    """

    def __init__(self, address: Address) -> None:
        self._address = address
        self._socket: socket.socket | None = None

    def answered(self, wait: float) -> bool:
        """Whether an answer came within `wait` seconds from now."""
        if self._socket is None:
            self._socket = self._ask()
        if self._socket is None:
            return False
        if not self._address.speaks_http:
            return True
        ready, _, _ = select.select([self._socket], [], [], wait)
        if not ready:
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

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _ask(self) -> socket.socket | None:
        try:
            connection = connect(self._address, timeout=1.0)
        except OSError:
            return None
        if self._address.speaks_http:
            with contextlib.suppress(OSError):
                connection.sendall(_REQUEST)
        return connection


def connect(address: Address, timeout: float) -> socket.socket:
    """A TCP connection to an address. Raises OSError."""
    return socket.create_connection((address.reachable_host, address.port), timeout=timeout)


def listens(address: Address) -> bool:
    """Whether anybody accepts connections at an address."""
    try:
        connect(address, timeout=1.0).close()
    except OSError:
        return False
    return True


def answers(address: Address, wait: float = 1.0) -> bool:
    """Whether a request to an address is answered within `wait` seconds."""
    probe = Probe(address)
    try:
        return probe.answered(wait)
    finally:
        probe.close()
