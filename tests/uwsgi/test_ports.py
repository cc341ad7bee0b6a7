"""Choosing ports among real listeners."""

from __future__ import annotations

import os
import socket
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from backstage.errors import PortUnavailable
from backstage.uwsgi.ports import choose, in_use, of_files, refuse_held, refuse_taken
from tests.conftest import Listen, Spawn

SETTINGS = Path("/srv/MyVenue/venue.yaml")


@pytest.fixture
def free() -> int:
    """The first of three neighbouring ports that nobody has, apart from those that systems give."""
    for first in range(20_000, 30_000, 3):
        with ExitStack() as trial:
            try:
                for port in range(first, first + 3):
                    trial.enter_context(socket.create_server(("127.0.0.1", port)))
            except OSError:
                continue
            return first
    raise AssertionError("no three free ports")


def port_of(listener: socket.socket) -> int:
    return int(listener.getsockname()[1])


def test_the_lowest_free_port_is_chosen(free: int, listen: Listen) -> None:
    """Neither one in use nor one that an Act has, running or not."""
    candidates = range(free, free + 3)
    assert choose(candidates, set(), SETTINGS) == free
    assert choose(candidates, {free}, SETTINGS) == free + 1
    listen(port=free)
    assert choose(candidates, set(), SETTINGS) == free + 1
    assert choose(candidates, {free + 1}, SETTINGS) == free + 2


def test_a_range_that_is_used_up_says_where_to_widen_it(free: int, listen: Listen) -> None:
    listen(port=free + 1)
    with pytest.raises(PortUnavailable) as caught:
        choose(range(free, free + 3), {free, free + 2}, SETTINGS)
    assert f"from {free} to {free + 2}" in str(caught.value)
    assert f"widen `ports` in {SETTINGS}" in str(caught.value)


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
    """Also while the kernel still remembers connections that the listener's side closed."""
    listener = listen()
    port = port_of(listener)
    with socket.create_connection(("127.0.0.1", port)) as client:
        connection, _ = listener.accept()
        connection.close()
        assert client.recv(1) == b""
    listener.close()
    assert not in_use(port)
    refuse_taken(port)


def test_who_has_a_port_is_named(spawn: Spawn) -> None:
    script = (
        "import socket, sys; s = socket.create_server(('127.0.0.1', 0)); "
        "print(s.getsockname()[1], flush=True); sys.stdin.read()"
    )
    holder = spawn(sys.executable, "-c", script)
    assert holder.stdout
    port = int(holder.stdout.readline())
    with pytest.raises(PortUnavailable) as caught:
        refuse_taken(port)
    assert caught.value.port == port
    assert caught.value.holder
    assert f"(pid {holder.pid})" in caught.value.holder
    assert f"port {port} is taken by {caught.value.holder}" in str(caught.value)
    assert holder.pid != os.getpid()


def test_a_port_of_another_act_is_refused_also_while_that_is_stopped() -> None:
    refuse_held(8002, {8001, 8003})
    with pytest.raises(PortUnavailable, match="8001 belongs to another Act") as caught:
        refuse_held(8001, {8001, 8003})
    assert caught.value.port == 8001


def test_ports_are_those_that_the_files_name(tmp_path: Path) -> None:
    """Whatever else lies there, or vanishes in between."""
    for name, text in {
        "blog": "[uwsgi]\nhttp-socket = 127.0.0.1:8001\n",
        "shop": "[uwsgi]\nset-ph = port=8002\nhttp-socket = :%(port)\n",
        "worker": "[uwsgi]\nattach-daemon = celery\n",
        "local": "[uwsgi]\nsocket = /run/local.sock\n",
        "empty": "",
    }.items():
        (tmp_path / f"{name}.ini").write_text(text)
    (tmp_path / "old.ini").write_bytes(b"# f\xfcr uns\n[uwsgi]\nsocket = :8003\n")
    assert of_files([*tmp_path.iterdir(), tmp_path / "gone.ini"]) == {8001, 8002, 8003}
