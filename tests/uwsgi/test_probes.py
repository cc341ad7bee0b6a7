"""Probes of real sockets, and what counts as an answer."""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from backstage.uwsgi.ini import Address
from backstage.uwsgi.probes import Probe, answering
from tests.conftest import Listen
from tests.patience import PATIENCE

RESPONSE = b"HTTP/1.0 500 Internal Server Error\r\n\r\n"


def address_of(listener: socket.socket, option: str = "http-socket", host: str = "") -> Address:
    return Address(host or "127.0.0.1", listener.getsockname()[1], option)


def answers(address: Address, wait: float) -> bool:
    return answering([address], wait) == {address}


@pytest.fixture
def serve(listen: Listen) -> Callable[[bytes], tuple[socket.socket, list[bytes]]]:
    """A server that gives every client one answer; the list collects the requests."""

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
    """An error counts too, since the application sends it; the request is for /healthz."""
    listener, asked = serve(RESPONSE)
    assert answers(address_of(listener), PATIENCE)
    assert asked[0].startswith(b"GET /healthz HTTP/1.0\r\nHost: localhost\r\n")
    assert asked[0].endswith(b"\r\n\r\n")


def test_a_connection_that_ends_without_an_answer_is_told_apart(serve: Serve) -> None:
    """An Act whose every request fails takes each, and answers none."""
    listener, _ = serve(b"")
    with closing(Probe(address_of(listener))) as probe:
        assert not probe.answered(PATIENCE)
        assert probe.hung_up
        assert not probe.asking
        probe.begin()
        assert not probe.hung_up


def test_a_silent_listener_is_no_answer(listen: Listen) -> None:
    assert not answers(address_of(listen()), 0.05)


def test_a_listener_that_hangs_up_is_no_answer(serve: Serve) -> None:
    """The probe ends too, so that a new one is sent."""
    listener, _ = serve(b"")
    with closing(Probe(address_of(listener))) as probe:
        assert not probe.answered(PATIENCE)
        assert not probe.asking


def test_nobody_there_is_no_answer(listen: Listen) -> None:
    listener = listen()
    address = address_of(listener)
    listener.close()
    assert not answers(address, PATIENCE)
    with closing(Probe(address)) as probe:
        assert not probe.answered(PATIENCE)
        assert not probe.asking


def test_a_late_answer_is_taken_by_the_same_question(listen: Listen) -> None:
    """A loading application finds one request in its queue, not many."""
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


def test_what_an_answer_can_be_waited_for_with_is_there_while_a_question_is(
    listen: Listen,
) -> None:
    """Others can wait on its descriptor, which becomes readable with the answer."""
    listener = listen()
    probe = Probe(address_of(listener))
    assert probe.fileno() == -1
    with closing(probe):
        assert not probe.answered(0.0)
        waiting = select.poll()
        waiting.register(probe, select.POLLIN)
        assert waiting.poll(0) == []
        connection, _ = listener.accept()
        with connection:
            connection.sendall(RESPONSE)
            assert waiting.poll(PATIENCE * 1000) == [(probe.fileno(), select.POLLIN)]
        assert probe.answered(0.0)
    assert probe.fileno() == -1


def test_several_are_asked_at_once(listen: Listen) -> None:
    """No server answers before all of them were asked."""
    listeners = [listen() for _ in range(10)]

    def work() -> None:
        with ExitStack() as closing:
            connections = [closing.enter_context(each.accept()[0]) for each in listeners]
            for connection in connections:
                connection.recv(4096)
                connection.sendall(RESPONSE)

    server = threading.Thread(target=work, daemon=True)
    server.start()
    addresses = {address_of(listener) for listener in listeners}
    assert answering(addresses, PATIENCE) == addresses
    server.join(PATIENCE)


@pytest.mark.parametrize("place", [0, 1, 2])
def test_one_that_is_silent_keeps_no_other_answer_away(
    serve: Serve, listen: Listen, place: int
) -> None:
    others = [address_of(serve(RESPONSE)[0]) for _ in range(2)]
    silent, closed = address_of(listen()), listen()
    gone = address_of(closed)
    closed.close()
    asked = [*others[:place], silent, gone, *others[place:]]
    assert answering(asked, 0.2) == set(others)


def test_asking_nobody_is_fine() -> None:
    assert answering([], PATIENCE) == set()


def test_no_connection_stays_open(listen: Listen) -> None:
    def files_open() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    listener = listen()
    before = files_open()
    for _ in range(50):
        assert answering([address_of(listener)], 0.0) == set()
    assert files_open() == before
