"""What a vassal and the Emperor tell each other: a real process at the other end of a socket."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.conftest import Spawn

PATIENCE = 30.0
# Begins to obey, says so, and then does the rest of its arguments.
VASSAL = """
import os, sys, time
from backstage.watcher import emperor
emperor._PROVEN = float(sys.argv[2])
told = emperor.Emperor(int(sys.argv[1]))
told.obey()
told.tell_ready()
with told.waiting():
    print("works", flush=True)
    if len(sys.argv) > 3:
        time.sleep(0.3)
        print("done", flush=True)
while True:
    time.sleep(60)
"""


class Throne:
    """The Emperor's end of the socket, and the vassal at the other."""

    def __init__(self, spawn: Spawn, *words: str) -> None:
        self.socket, other = socket.socketpair()
        self.socket.settimeout(PATIENCE)
        number = other.fileno()
        self.vassal = spawn(sys.executable, "-c", VASSAL, str(number), *words, pass_fds=[number])
        other.close()
        assert self.vassal.stdout
        assert self.vassal.stdout.readline() == "works\n"


@pytest.fixture
def throne(spawn: Spawn) -> Iterator[Throne]:
    throne = Throne(spawn, "1000")
    with throne.socket:
        yield throne


@pytest.mark.parametrize("order", [b"\0", b"\1", b"\2"])
def test_it_ends_whatever_the_emperor_says(throne: Throne, order: bytes) -> None:
    """The Emperor says only: stop, reload, stop gracefully. It starts again what ends untold."""
    assert throne.socket.recv(1) == b"\1"
    with pytest.raises(subprocess.TimeoutExpired):
        throne.vassal.wait(0.1)
    throne.socket.send(order)
    assert throne.vassal.wait(PATIENCE) == 0


def test_it_ends_with_the_emperor(throne: Throne) -> None:
    throne.socket.close()
    assert throne.vassal.wait(PATIENCE) == 0


def test_it_is_loyal_after_a_while(spawn: Spawn) -> None:
    """From then on, the Emperor starts it again at once if it dies."""
    throne = Throne(spawn, "0.1")
    with throne.socket:
        assert throne.socket.recv(1) == b"\1"
        assert throne.socket.recv(1) == b"\21"
        throne.socket.send(b"\0")
        assert throne.vassal.wait(PATIENCE) == 0


def test_what_must_not_be_cut_short_is_finished(spawn: Spawn) -> None:
    throne = Throne(spawn, "1000", "with work")
    throne.socket.close()
    assert throne.vassal.wait(PATIENCE) == 0
    assert throne.vassal.stdout
    assert throne.vassal.stdout.read() == "done\n"
