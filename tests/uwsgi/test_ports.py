"""Choosing ports among real listeners."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from backstage.errors import PortUnavailable
from backstage.layout import registry
from backstage.layout.paths import VenuePaths
from backstage.uwsgi.ports import claim, first_free, of_files, refuse_held, refuse_taken
from tests.conftest import Listen, Spawn

SETTINGS = Path("/srv/MyVenue/venue.yaml")


@pytest.fixture
def free() -> int:
    """The first of three adjacent free ports, outside the kernel's range for clients."""
    for first in range(20_000, 30_000, 3):
        with ExitStack() as trial:
            try:
                for port in range(first, first + 3):
                    trial.enter_context(socket.create_server(("127.0.0.1", port)))
            except OSError:
                continue
            return first
    raise AssertionError("no three free ports")


def test_the_lowest_free_port_is_chosen(free: int, listen: Listen) -> None:
    """Ports in use and ports of Acts, running or not, are skipped."""
    candidates = range(free, free + 3)
    assert first_free(candidates, set(), SETTINGS) == free
    assert first_free(candidates, {free}, SETTINGS) == free + 1
    listen(port=free)
    assert first_free(candidates, set(), SETTINGS) == free + 1
    assert first_free(candidates, {free + 1}, SETTINGS) == free + 2


def test_a_range_that_is_used_up_says_where_to_widen_it(free: int, listen: Listen) -> None:
    listen(port=free + 1)
    with pytest.raises(PortUnavailable) as caught:
        first_free(range(free, free + 3), {free, free + 2}, SETTINGS)
    assert f"from {free} to {free + 2}" in str(caught.value)
    assert f"widen `ports` in {SETTINGS}" in str(caught.value)


def test_who_has_a_port_is_named(spawn: Spawn, tmp_path: Path) -> None:
    script = (
        "import socket, sys; s = socket.create_server(('127.0.0.1', 0)); "
        "print(s.getsockname()[1], flush=True); sys.stdin.read()"
    )
    holder = spawn(sys.executable, "-c", script)
    assert holder.stdout
    port = int(holder.stdout.readline())
    with pytest.raises(PortUnavailable) as caught:
        refuse_taken(port, VenuePaths(tmp_path))
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
    """Other files, or files removed in the meantime, do not matter."""
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


@pytest.fixture
def venues(tmp_path: Path, free: int) -> Iterator[tuple[VenuePaths, VenuePaths]]:
    """Two Venues of this host with the same range of three ports."""
    for name in ("one", "two"):
        (tmp_path / name / "kept").mkdir(parents=True)
        (tmp_path / name / "vassals").mkdir()
        (tmp_path / name / "venue.yaml").write_text(f"ports: {free}-{free + 2}\n")
        registry.register(tmp_path / name)
    yield VenuePaths(tmp_path / "one"), VenuePaths(tmp_path / "two")
    for name in ("one", "two"):
        registry.forget(tmp_path / name)


def test_a_claimed_port_is_taken_for_every_venue_of_the_host(
    venues: tuple[VenuePaths, VenuePaths], free: int
) -> None:
    """The Act does not run yet; its kept vassal file names the port."""
    one, two = venues
    for paths, name in ((one, "blog"), (two, "shop")):
        claim(paths.act(name), None)
    assert of_files([one.act("blog").kept]) == {free}
    assert of_files([two.act("shop").kept]) == {free + 1}
    with pytest.raises(PortUnavailable, match=f"{free} belongs to another Act"):
        claim(two.act("news"), free)
    assert not two.act("news").kept.exists()


def test_a_port_that_is_asked_for_may_lie_outside_of_the_range_but_has_to_be_free(
    venues: tuple[VenuePaths, VenuePaths], listen: Listen
) -> None:
    act, listener = venues[0].act("blog"), listen()
    port = int(listener.getsockname()[1])
    with pytest.raises(PortUnavailable, match=f"{port} is taken by"):
        claim(act, port)
    listener.close()
    claim(act, port)
    assert of_files([act.kept]) == {port}


def test_an_act_that_is_wanted_has_its_port_too(
    venues: tuple[VenuePaths, VenuePaths], free: int
) -> None:
    one, two = venues
    one.act("blog").vassal.write_text(f"[uwsgi]\nhttp-socket = :{free}\n")
    claim(two.act("shop"), None)
    assert of_files([two.act("shop").kept]) == {free + 1}


def test_what_others_claim_is_avoided_and_never_needed(free: int, listen: Listen) -> None:
    """No other user can take a port away by a mere claim."""
    candidates = range(free, free + 3)
    assert first_free(candidates, set(), SETTINGS, {free}) == free + 1
    listen(port=free + 1)
    assert first_free(candidates, {free + 2}, SETTINGS, {free}) == free
    assert first_free(candidates, set(), SETTINGS, range(1, 65536)) == free
