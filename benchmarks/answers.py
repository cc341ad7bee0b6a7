"""The moment at which an HTTP server first answers 200."""

from __future__ import annotations

import socket
import time

from .stage import Process

_REQUEST = b"GET / HTTP/1.0\r\nHost: localhost\r\nUser-Agent: benchmarks\r\n\r\n"
_PAUSE = 0.002
_PATIENCE = 120.0


def first_200(port: int, server: Process) -> float:
    """Request `/` until the answer is 200; return that moment on the monotonic clock.

    One request is sent as soon as the port is open, and waits in the queue until it can be
    answered. Raises RuntimeError if the answer differs, or if `server` fails in the meantime.
    """
    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end:
        status = _ask(port)
        now = time.monotonic()
        if status.endswith(b" 200"):
            return now
        if status:
            raise RuntimeError(f"port {port} answers {status.decode(errors='replace')}")
        if server.poll():
            raise RuntimeError(f"{server.args!r} failed before port {port} answered")
        time.sleep(_PAUSE)
    raise RuntimeError(f"port {port} does not answer within {_PATIENCE:.0f} s")


def _ask(port: int) -> bytes:
    """The beginning of the answer up to its status; empty if there is none."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=_PATIENCE) as connection:
            connection.sendall(_REQUEST)
            return connection.recv(len("HTTP/1.1 200"))
    except OSError:
        return b""
