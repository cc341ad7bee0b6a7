"""Probe a port: does a service answer there?"""

from __future__ import annotations

import errno
import select
import socket
from collections.abc import Iterable
from contextlib import ExitStack, suppress

from ..system.deadlines import Deadline
from .ini import Address

# Scaffolded Acts answer this before any other code of theirs; any answer of other Acts counts too.
_REQUEST = b"GET /healthz HTTP/1.0\r\nHost: localhost\r\nUser-Agent: backstage\r\n\r\n"


class Probe:
    """One request to an address, sent again whenever the connection is refused or lost.

    A request that arrives while the application is loading waits in the socket's queue and is
    answered as soon as possible: no polling could be faster.
    """

    def __init__(self, address: Address) -> None:
        self.address = address
        self._socket: socket.socket | None = None
        self._asked = False
        # Whether the last request was taken, and the connection closed without an answer.
        self.hung_up = False

    def begin(self) -> bool:
        """Connect unless connected; return whether a connection is open or in progress."""
        if self._socket is None:
            self._socket = connecting(self.address)
            self._asked = self.hung_up = False
        return self._socket is not None

    def answered(self, wait: float) -> bool:
        """Whether an answer arrives within `wait` seconds from now."""
        deadline = Deadline(wait)
        if not self.begin() or self._socket is None:
            return False
        if not self._asked:
            if not _ready(self._socket, select.POLLOUT, deadline.remaining):
                return False
            self._asked = self._ask(self._socket)
        if not self._asked:
            self.close()
            return False
        if not self.address.speaks_http:
            return True
        if not _ready(self._socket, select.POLLIN, deadline.remaining):
            return False
        with suppress(OSError):
            if self._socket.recv(16):
                return True
            self.hung_up = True
        self.close()
        return False

    @property
    def asking(self) -> bool:
        """Whether a request is in progress; if not, nothing listens at the address."""
        return self._socket is not None

    def fileno(self) -> int:
        """The descriptor that becomes readable when the answer arrives; -1 if not connected."""
        return self._socket.fileno() if self._socket else -1

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _ask(self, connection: socket.socket) -> bool:
        if connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            return False
        if self.address.speaks_http:
            with suppress(OSError):
                connection.sendall(_REQUEST)
        return True


def connecting(address: Address) -> socket.socket | None:
    """A non-blocking socket that is connecting to an address; None if that is refused."""
    family = socket.AF_INET6 if ":" in address.reachable_host else socket.AF_INET
    connection = socket.socket(family, socket.SOCK_STREAM)
    connection.setblocking(False)
    try:
        outcome = connection.connect_ex((address.reachable_host, address.port))
    except OSError:
        outcome = errno.EADDRNOTAVAIL
    if outcome in {0, errno.EINPROGRESS}:
        return connection
    connection.close()
    return None


def _ready(connection: socket.socket, event: int, wait: float) -> bool:
    # poll, because select fails in a process with more than a thousand open files.
    waiting = select.poll()
    waiting.register(connection, event)
    return bool(waiting.poll(wait * 1000))


def answering(addresses: Iterable[Address], wait: float) -> set[Address]:
    """The addresses that answer a request within `wait` seconds; all are probed at once."""
    deadline = Deadline(wait)
    with ExitStack() as closing:
        probes = [Probe(address) for address in addresses]
        for probe in probes:
            closing.callback(probe.close)
            probe.answered(0)
        return {probe.address for probe in probes if probe.answered(deadline.remaining)}
