"""The member's side, before a server that lies: whatever it answers, the error is ours."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from backstage.errors import ActFailed, BackstageError, EmperorFailed, NotAllowed, NotAVenue
from backstage.facts.watching import Watcher, Watching
from backstage.layout.paths import VenuePaths
from backstage.sharing import requests
from backstage.sharing.answering import Answering
from backstage.sharing.failures import Failure
from backstage.sharing.requests import Ask, Overview
from backstage.sharing.shared_venue import SharedVenue
from backstage.sharing.values import encoded
from backstage.system import peers

from ..patience import PATIENCE

OVERVIEW = Overview(emperor=7, watcher=Watcher(Watching.RUNNING, 8), acts=())
ITEM, END = {"item": encoded(OVERVIEW)}, {"end": True}
Serve = Callable[[bytes], VenuePaths]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Serves one Venue; each connection gets the same answer, whatever it asks, and is ended."""
    paths = VenuePaths(tmp_path)
    paths.shared.mkdir()
    with ExitStack() as ending:

        def start(answer: bytes) -> VenuePaths:
            listener = ending.enter_context(socket.socket(socket.AF_UNIX))
            descriptor = os.open(paths.shared, os.O_PATH)
            ending.callback(os.close, descriptor)
            listener.bind(f"/proc/self/fd/{descriptor}/socket")
            listener.listen()
            thread = threading.Thread(target=_serve, args=[listener, answer], daemon=True)
            thread.start()
            ending.callback(thread.join, PATIENCE)
            ending.callback(listener.shutdown, socket.SHUT_RDWR)
            return paths

        yield start


def _serve(listener: socket.socket, answer: bytes) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        with connection:
            connection.recv(100_000)
            try:
                connection.sendall(answer)
            except OSError:
                continue


def lines(*documents: object) -> bytes:
    return b"".join(map(requests.line_of, documents))


def test_a_true_answer_is_taken(serve: Serve) -> None:
    with SharedVenue(serve(lines(ITEM, END))) as venue:
        assert (venue.emperor_pid, venue.watcher, venue.snapshot()) == (7, OVERVIEW.watcher, ())


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"{}\n",
        b"garbage\n",
        b"[]\n",
        b"\xff\n",
        b"[" * 100_000 + b"\n",
        b'{"item": ' + b"9" * 5000 + b"}\n",
        lines(END),
        lines({"item": None}, END),
        lines({"item": {**encoded(OVERVIEW), "acts": [1]}}, END),
        lines({"item": {**encoded(OVERVIEW), "emperor": "7"}}, END),
        lines(ITEM),
        lines(*[ITEM] * 1000),
        lines({"error": "no"}),
        lines({"error": {"kind": "SystemExit", "message": "0"}}),
    ],
)
def test_whatever_else_is_answered_is_an_error_of_ours(serve: Serve, answer: bytes) -> None:
    paths = serve(answer)
    with pytest.raises(BackstageError):
        SharedVenue(paths)


def test_an_endless_line_fills_no_memory(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests, "LONGEST_REPLY", 1000)
    with pytest.raises(BackstageError, match="not JSON"):
        SharedVenue(serve(b"x" * 100_000))


def test_an_error_has_its_class(serve: Serve) -> None:
    failure = Failure.of(ActFailed("blog", "does not run", "no module x"))
    with pytest.raises(ActFailed, match="no module x") as raised:
        SharedVenue(serve(lines({"error": encoded(failure)})))
    assert raised.value.reason == "no module x"


def test_nothing_is_asked_of_another_users_server(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = serve(lines(ITEM, END))
    monkeypatch.setattr(peers, "uid_of", lambda _: os.geteuid() + 7)
    with pytest.raises(NotAllowed, match="nothing was asked there"):
        SharedVenue(paths)


def test_nobody_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(EmperorFailed, match=r"nobody answers for .*; type: sudo -u .* venue start"):
        SharedVenue(VenuePaths(tmp_path))


def test_a_request_names_its_venue(tmp_path: Path) -> None:
    """Who is led to the socket of another Venue by a link does nothing there."""
    here, there = socket.socketpair()
    with here, there:
        request = requests.Request(ask=Ask.OVERVIEW, venue="/srv/other")
        here.sendall(requests.line_of_request(request))
        here.shutdown(socket.SHUT_WR)
        Answering(VenuePaths(tmp_path), there).run()
        document = json.loads(here.makefile("rb").readline())
    assert document["error"]["kind"] == NotAVenue.__name__
