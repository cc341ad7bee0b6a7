"""Acts that lie about themselves: only they look odd, and every command works as before."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from backstage.facts.states import State
from backstage.shortcuts import new_act, use_venue
from backstage.status.survey import Survey
from backstage.venue import Venue

from .calling import call, environment

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def house(stage: Path) -> Iterator[Venue]:
    """A Venue with an honest Act and a liar, at a path that a shell reads as it likes.

    The first Act is made by typing what `new-venue` says.
    """
    place = stage / "a b;c & (d)#e"
    place.mkdir()
    made = call("new-venue", "My Venue", cwd=place)
    typed(next(line for line in made.stderr.splitlines() if line.startswith("Next: ")))
    venue = use_venue(place / "My Venue")
    new_act(venue, "liar")
    yield venue
    venue.stop()


def typed(message: str) -> None:
    """Type the command in a message, in another directory."""
    command = re.sub(r"^.*(?:Next|[Tt]ype): ", "", message).replace(
        "new-act blog", "new-act honest"
    )
    subprocess.run(["bash", "-ec", command], check=True, cwd="/", env=environment())


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


def test_a_refusal_can_be_typed_away(house: Venue) -> None:
    """This is the last test, as it stops the Venue."""
    house.stop()
    house.paths.vassals.chmod(0o777)
    refused = call("start", cwd=house.path)
    assert refused.returncode != 0
    assert "can be written by everybody" in refused.stderr
    typed(refused.stderr.splitlines()[-1])
    assert call("start", cwd=house.path).returncode == 0


def test_a_venue_whose_path_has_two_lines_is_refused(tmp_path: Path) -> None:
    """No command for it could be shown on a line, and uWSGI would read it as two options."""
    place = tmp_path / "two\nlines"
    place.mkdir()
    refused = call("new-venue", "house", cwd=place)
    assert refused.returncode != 0
    assert "uWSGI misreads '\\n' in a path" in refused.stderr
    assert not list(place.iterdir())
