"""Ports and real listeners."""

from __future__ import annotations

import errno
import os
import socket

import pytest

from backstage.system import sockets
from backstage.system.sockets import in_use
from tests.conftest import Listen


def port_of(listener: socket.socket) -> int:
    return int(listener.getsockname()[1])


@pytest.mark.parametrize(
    ("listening", "asked"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("0.0.0.0", "127.0.0.1"),
        ("127.0.0.1", "0.0.0.0"),
    ],
)
def test_a_listener_anywhere_in_the_way_counts(listen: Listen, listening: str, asked: str) -> None:
    assert in_use(port_of(listen(listening)), asked)


def test_another_address_of_this_machine_is_not_in_the_way(listen: Listen) -> None:
    assert not in_use(port_of(listen("127.0.0.1")), "127.0.0.2")


def test_a_port_is_free_at_once_when_its_listener_is_gone(listen: Listen) -> None:
    """This holds even while closed connections of the listener are in TIME_WAIT."""
    listener = listen()
    port = port_of(listener)
    with socket.create_connection(("127.0.0.1", port)) as client:
        connection, _ = listener.accept()
        connection.close()
        assert client.recv(1) == b""
    listener.close()
    assert not in_use(port)


def test_the_listener_of_a_port_is_known(listen: Listen) -> None:
    """Its clients use the same port number, but do not count."""
    listener = listen()
    port = listener.getsockname()[1]
    assert sockets.listener(port) == os.getpid()
    with socket.create_connection(("127.0.0.1", port)) as client:
        assert sockets.listener(client.getsockname()[1]) is None
    listener.close()
    assert sockets.listener(port) is None


def test_the_holder_of_a_port_is_told_in_words(listen: Listen) -> None:
    """There is a description even if the process is not visible."""
    listener = listen()
    assert sockets.holder(port_of(listener)).endswith(f" (pid {os.getpid()})")
    port = port_of(listener)
    listener.close()
    assert sockets.holder(port) == "another program"


def test_an_address_that_cannot_be_bound_is_told_with_its_reason(listen: Listen) -> None:
    """An address of another machine is not in use, but no program here can listen at it."""
    taken = port_of(listen())
    told = [sockets.bind_error(taken), sockets.bind_error(taken, "203.0.113.1")]
    assert [error and error.errno for error in told] == [errno.EADDRINUSE, errno.EADDRNOTAVAIL]
    assert not in_use(taken, "203.0.113.1")
    assert sockets.bind_error(taken, "127.0.0.2") is None
