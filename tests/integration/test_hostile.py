"""Acts that lie about themselves: only they look odd, and every command works as before."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from backstage.facts.states import State
from backstage.shortcuts import new_act, new_venue
from backstage.status.survey import Survey
from backstage.venue import Venue

from .calling import call

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def house(stage: Path) -> Iterator[Venue]:
    """A Venue with an honest Act and a liar."""
    venue = new_venue("house", stage)
    for name in ("honest", "liar"):
        new_act(venue, name)
    yield venue
    venue.stop()


@contextmanager
def saying(path: Path, said: bytes) -> Iterator[None]:
    """Somebody else than the master answers at a stats socket."""
    kept = path.with_suffix(".kept")
    path.rename(kept)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen(64)

        def answer() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    with connection, suppress(BrokenPipeError):
                        connection.sendall(said)

        thread = threading.Thread(target=answer)
        thread.start()
        try:
            yield
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()
            kept.replace(path)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (b"{}", "it has no workers"),
        (b'{"pid": NaN, "workers": []}', "pid is a fraction, not a number"),
        (b"[" * 100_000, "it is not JSON"),
        (b"[]," * 2_000_000, "it is longer than 4 MB"),
    ],
)
def test_one_that_lies_about_itself_is_odd_and_the_others_are_as_ever(
    house: Venue, said: bytes, why: str
) -> None:
    liar = house["liar"]
    with saying(liar.paths.stats, said):
        done = call("status", "--json", cwd=house.path)
        shown = {each["name"]: each for each in json.loads(done.stdout)["result"]["acts"]}
        events = call("events", "--since", "1h", cwd=house.path)
    assert {each["state"] for each in shown.values()} == {"running"}
    assert shown["liar"]["reason"] == f"its statistics are not uWSGI's: {why}"
    assert shown["honest"]["reason"] == ""
    assert (done.returncode, events.returncode) == (0, 0)


def test_one_that_calls_others_its_workers_gets_none_of_them(house: Venue) -> None:
    honest, liar = house["honest"].snapshot(), house["liar"]
    core, worker = {"in_request": 1}, {"accepting": 1, "status": "idle", "avg_rt": 0}
    workers = [{**worker, "pid": honest.pid, "requests": 9, "respawn_count": 1, "cores": [core]}]
    said = json.dumps({"pid": liar.pid, "workers": workers}).encode()
    with saying(liar.paths.stats, said):
        look = Survey(house.paths).glance_at(["liar"], house.emperor.stats())["liar"]
        reason = liar.snapshot().reason
    assert look.workers == ()
    assert f"it names process {honest.pid} as its worker" in reason


def test_a_vassal_file_may_have_any_name(house: Venue) -> None:
    """The Emperor quotes nothing in its statistics."""
    odd = house.paths.vassals / 'a"b\\c.ini'
    odd.write_text("[uwsgi]\nno-such-option = 1\n")
    try:
        house.emperor.wake()
        assert house["honest"].state is State.RUNNING
        assert {'a"b\\c', "honest", "liar"} <= {each.name for each in house.snapshot()}
    finally:
        odd.unlink()
        house.emperor.wake()


def test_a_vassal_file_may_have_any_date(house: Venue) -> None:
    honest = house["honest"]
    os.utime(honest.paths.vassal, (-315_619_200, -315_619_200))
    honest.stop()
    honest.start()
    assert honest.state is State.RUNNING
