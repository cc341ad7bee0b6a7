"""What counts as an answer, asked of real sockets."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import closing

import pytest

from backstage.probes import Probe, answers, listens
from backstage.vassal import Address

from .conftest import Listen

RESPONSE = b"HTTP/1.0 500 Internal Server Error\r\n\r\n"
PATIENCE = 20.0


def address_of(listener: socket.socket, option: str = "http-socket", host: str = "") -> Address:
    return Address(host or "127.0.0.1", listener.getsockname()[1], option)


@pytest.fixture
def serve(listen: Listen) -> Callable[[bytes], tuple[socket.socket, list[bytes]]]:
    """A server that gives every client one answer; the list fills with what it was asked."""

    def start(answer: bytes) -> tuple[socket.socket, list[bytes]]:
        listener, asked = listen(), list[bytes]()

        def work() -> None:
            connection, _ = listener.accept()
            with connection:
                asked.append(connection.recv(4096))
                connection.sendall(answer)

        threading.Thread(target=work, daemon=True).start()
        return listener, asked

    return start


Serve = Callable[[bytes], tuple[socket.socket, list[bytes]]]


def test_any_http_answer_counts(serve: Serve) -> None:
    """Also an error, as it is the application that says so; scaffolds are asked for /healthz."""
    listener, asked = serve(RESPONSE)
    assert answers(address_of(listener), PATIENCE)
    assert asked[0].startswith(b"GET /healthz HTTP/1.0\r\nHost: localhost\r\n")
    assert asked[0].endswith(b"\r\n\r\n")


def test_a_silent_listener_is_no_answer(listen: Listen) -> None:
    address = address_of(listen())
    assert listens(address)
    assert not answers(address, 0.05)


def test_a_listener_that_hangs_up_is_no_answer(serve: Serve) -> None:
    """And the question ends, so that it is asked anew."""
    listener, _ = serve(b"")
    with closing(Probe(address_of(listener))) as probe:
        assert not probe.answered(PATIENCE)
        assert not probe.asking


def test_nobody_there_is_no_answer(listen: Listen) -> None:
    listener = listen()
    address = address_of(listener)
    listener.close()
    assert not listens(address)
    assert not answers(address, PATIENCE)
    with closing(Probe(address)) as probe:
        assert not probe.answered(PATIENCE)
        assert not probe.asking


def test_a_late_answer_is_taken_by_the_same_question(listen: Listen) -> None:
    """An application that still loads finds one request in its queue, not many."""
    listener = listen()
    with closing(Probe(address_of(listener))) as probe:
        assert not probe.answered(0.01)
        assert probe.asking
        assert not probe.answered(0.01)
        connection, _ = listener.accept()
        with connection:
            connection.sendall(RESPONSE)
            assert probe.answered(PATIENCE)
        listener.setblocking(False)
        with pytest.raises(BlockingIOError):
            listener.accept()


def test_a_question_can_be_asked_before_anybody_listens(listen: Listen) -> None:
    reserved = listen()
    address = address_of(reserved)
    reserved.close()
    with closing(Probe(address)) as probe:
        assert not probe.answered(0.01)
        listener = listen(port=address.port)
        assert not probe.answered(0.01)
        connection, _ = listener.accept()
        with connection:
            connection.sendall(RESPONSE)
            assert probe.answered(PATIENCE)


def test_where_no_http_is_spoken_a_connection_is_all_there_is(listen: Listen) -> None:
    listener = listen()
    assert answers(address_of(listener, "socket"), 0.0)
    connection, _ = listener.accept()
    with connection:
        assert connection.recv(16) == b""


@pytest.mark.parametrize("host", ["", "0.0.0.0"])
def test_a_listener_on_every_interface_is_asked_at_home(serve: Serve, host: str) -> None:
    listener, _ = serve(RESPONSE)
    assert answers(Address(host, listener.getsockname()[1], "http-socket"), PATIENCE)


def test_closing_twice_is_fine(listen: Listen) -> None:
    probe = Probe(address_of(listen()))
    probe.answered(0.0)
    for _ in range(2):
        probe.close()
        assert not probe.asking
