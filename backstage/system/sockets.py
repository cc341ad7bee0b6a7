"""TCP ports of this host: whether one can be bound, and which process listens on it."""

from __future__ import annotations

import errno
import socket
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from . import lazy, processes

if TYPE_CHECKING:
    import psutil
else:
    psutil = lazy.module("psutil")


def in_use(port: int, host: str = "127.0.0.1") -> bool:
    """Whether any program, ours or not, already listens at this address."""
    error = bind_error(port, host)
    return error is not None and error.errno == errno.EADDRINUSE


def bind_error(port: int, host: str = "127.0.0.1") -> OSError | None:
    """Why this process cannot bind to this address; None if it can."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as attempt:
        attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            attempt.bind((host, port))
        except OSError as error:
            return error
    return None


def is_bound(path: Path) -> bool:
    """Whether a process has a Unix socket at this path, even if its file was removed."""
    # proc_net(5): "0000000000000000: 00000002 00000000 00010000 0001 01 16163 /run/some.socket".
    lines = Path("/proc/net/unix").read_text(errors="surrogateescape").splitlines()
    return any(line.split(maxsplit=7)[7:] == [str(path)] for line in lines)


def listener(port: int) -> int | None:
    """The pid of the process that listens on a port; None if there is none or it is not visible."""
    try:
        connections = psutil.net_connections(kind="tcp")
    except psutil.Error:
        return None
    return next(
        (
            connection.pid
            for connection in connections
            if connection.status == psutil.CONN_LISTEN
            and connection.laddr
            and connection.laddr.port == port
        ),
        None,
    )


def listened(pids: Collection[int]) -> set[int]:
    """The ports on which these processes listen, as far as they are visible."""
    try:
        connections = psutil.net_connections(kind="tcp")
    except psutil.AccessDenied:
        return set()
    return {
        connection.laddr.port
        for connection in connections
        if connection.status == psutil.CONN_LISTEN and connection.laddr and connection.pid in pids
    }


def holder(port: int) -> str:
    """A description, for an error message, of the program that uses a port."""
    pid = listener(port)
    return processes.describe(pid) if pid else "another program"
