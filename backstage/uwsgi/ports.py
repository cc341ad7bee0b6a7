"""Choosing a port that no Act of any Venue here has."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterable
from pathlib import Path

from ..errors import PortUnavailable
from ..system import processes
from .ini import VassalFile


def choose(candidates: range, held: set[int], settings: Path) -> int:
    """The lowest port of the range that is neither held by an Act nor in use.

    Raises PortUnavailable when the range, which `settings` names, is used up.
    """
    for port in candidates:
        if port not in held and not in_use(port):
            return port
    raise PortUnavailable(
        f"all ports from {candidates[0]} to {candidates[-1]} are taken; "
        f"widen `ports` in {settings} or retire an Act"
    )


def in_use(port: int, host: str = "127.0.0.1") -> bool:
    """Whether a program, ours or not, listens where this port would be bound."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as attempt:
        attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            attempt.bind((host, port))
        except OSError as error:
            return error.errno == errno.EADDRINUSE
    return False


def refuse_taken(port: int, host: str = "127.0.0.1") -> None:
    """Raise PortUnavailable, naming the holder where it may be known, if the port is in use."""
    if in_use(port, host):
        pid = processes.listener(port)
        holder = processes.describe(pid) if pid else "another program"
        raise PortUnavailable(
            f"port {port} is taken by {holder}; stop it or give the Act another port",
            port,
            holder,
        )


def refuse_held(port: int, held: set[int]) -> None:
    """Raise PortUnavailable if an Act of any Venue, running or not, has the port."""
    if port in held:
        raise PortUnavailable(
            f"port {port} belongs to another Act on this host; give this one another port", port
        )


def of_files(vassal_files: Iterable[Path]) -> set[int]:
    """The ports that these vassal files name."""
    held = set()
    for path in vassal_files:
        try:
            address = VassalFile(path.stem, path.read_text(errors="replace")).address
        except FileNotFoundError:
            continue
        if address:
            held.add(address.port)
    return held
