"""The reports of stats sockets, and sockets that do not answer; all are real Unix sockets."""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backstage.facts.sightings import Penalty, Vassal
from backstage.uwsgi import stats
from backstage.uwsgi.stats import EmperorStats, VassalStats, WorkerStats
from tests.mutations import mutated
from tests.patience import PATIENCE

WORKER = {
    "id": 1,
    "pid": 812,
    "accepting": 1,
    "requests": 17,
    "status": "idle",
    "respawn_count": 1,
    "avg_rt": 2500,
    "cores": [{"id": 0, "in_request": 1}, {"id": 1, "in_request": 0}, {"id": 2, "in_request": 1}],
}
VASSAL = {
    "version": "2.0.31",
    "pid": 810,
    "workers": [WORKER],
    "sockets": [{"name": "127.0.0.1:8001", "proto": "http", "queue": 0}],
}
EMPEROR: dict[str, Any] = {
    "pid": 700,
    "vassals": [
        {
            "id": "blog.ini",
            "pid": 810,
            "ready": 1,
            "accepting": 1,
            "cursed": 0,
            "on_demand": 0,
            "respawns": 2,
            "last_mod": 1_700_000_001,
            "last_run": 1_700_000_002,
            "last_ready": 1_700_000_003,
            "last_accepting": 1_700_000_004,
        },
        {
            "id": "shop.ini",
            "pid": -1,
            "ready": 0,
            "accepting": 0,
            "cursed": 1,
            "on_demand": 1,
            "respawns": 0,
            "last_mod": 0,
            "last_run": 0,
            "last_ready": 0,
            "last_accepting": 0,
        },
    ],
    "blacklist": [
        {"id": "news.ini", "throttle_level": 3500, "attempt": 2, "last_attempt": 1_700_000_000}
    ],
}


def with_worker(**fields: Any) -> bytes:
    return json.dumps({**VASSAL, "workers": [{**WORKER, **fields}]}).encode()


Answer = Callable[[socket.socket], None]
Serve = Callable[..., Path]


def saying(said: bytes) -> Answer:
    def answer(connection: socket.socket) -> None:
        connection.sendall(said)

    return answer


def telling(document: Any) -> Answer:
    return saying(json.dumps(document).encode())


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Servers, each at its own socket, that answer one client and close the connection."""
    with ExitStack() as ending:

        def start(name: str, answer: Answer) -> Path:
            path = tmp_path / f"{name}.stats"
            listener = ending.enter_context(socket.socket(socket.AF_UNIX))
            listener.bind(str(path))
            listener.listen()

            def work() -> None:
                # There may be no client, or one that leaves early.
                with suppress(OSError):
                    connection, _ = listener.accept()
                    with connection:
                        answer(connection)

            thread = threading.Thread(target=work, daemon=True)
            thread.start()
            ending.callback(thread.join, PATIENCE)
            ending.callback(listener.shutdown, socket.SHUT_RDWR)
            return path

        yield start


@pytest.fixture
def silent(tmp_path: Path) -> Iterator[Path]:
    """A socket that accepts connections and never answers."""
    path = tmp_path / "silent.stats"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        yield path


def test_the_emperor_tells_of_vassals_and_of_those_it_punishes(serve: Serve) -> None:
    assert stats.read_emperor(serve("emperor", telling(EMPEROR)), PATIENCE) == EmperorStats(
        pid=700,
        vassals={
            "blog.ini": Vassal(
                pid=810,
                ready=True,
                accepting=True,
                cursed=False,
                on_demand=False,
                respawns=2,
                last_mod=1_700_000_001,
                last_run=1_700_000_002,
                last_ready=1_700_000_003,
                last_accepting=1_700_000_004,
            ),
            "shop.ini": Vassal(
                pid=-1, ready=False, accepting=False, cursed=True, on_demand=True, respawns=0
            ),
        },
        blacklist={
            "news.ini": Penalty(attempts=3, retry_at=1_700_000_003.5, last_attempt=1_700_000_000)
        },
    )


def test_a_master_tells_of_its_workers(serve: Serve) -> None:
    """For each worker: the number of busy threads, and the number of respawns."""
    cheap = {**WORKER, "pid": 0, "accepting": 0, "status": "cheap", "respawn_count": 0, "cores": []}
    again = {
        **WORKER,
        "pid": 814,
        "status": "busy",
        "respawn_count": 4,
        "cores": [{"in_request": 1}],
    }
    path = serve("blog", telling({**VASSAL, "workers": [WORKER, cheap, again]}))
    told = stats.read_vassals([path], PATIENCE)[path]
    assert told.pid == 810
    assert told.workers == (
        WorkerStats(
            812, True, threads=3, busy=2, cheap=False, requests=17, respawns=0, latency=0.0025
        ),
        WorkerStats(
            0, False, threads=0, busy=0, cheap=True, requests=17, respawns=0, latency=0.0025
        ),
        WorkerStats(
            814, True, threads=1, busy=1, cheap=False, requests=17, respawns=3, latency=0.0025
        ),
    )


def test_several_are_told_apart(serve: Serve) -> None:
    paths = [serve(f"act{pid}", telling({**VASSAL, "pid": pid})) for pid in range(1, 31)]
    told = stats.read_vassals(paths, PATIENCE)
    assert {path: answer.pid for path, answer in told.items()} == {
        path: pid for pid, path in enumerate(paths, 1)
    }


def test_all_are_asked_before_the_first_is_heard(serve: Serve) -> None:
    """No server answers before all of them were asked."""
    together = threading.Barrier(10, timeout=PATIENCE)

    def answer(connection: socket.socket) -> None:
        together.wait()
        telling(VASSAL)(connection)

    paths = [serve(f"act{number}", answer) for number in range(10)]
    assert stats.read_vassals(paths, PATIENCE).keys() == set(paths)


@pytest.mark.parametrize("place", [0, 1, 2])
def test_one_that_never_answers_keeps_no_other_answer_away(
    serve: Serve, silent: Path, place: int
) -> None:
    told: list[threading.Event] = [threading.Event(), threading.Event()]

    def answering(event: threading.Event) -> Answer:
        def answer(connection: socket.socket) -> None:
            telling(VASSAL)(connection)
            event.set()

        return answer

    others = [serve(f"act{number}", answering(event)) for number, event in enumerate(told)]
    paths = [*others[:place], silent, *others[place:]]
    assert stats.read_vassals(paths, 0.2).keys() == set(others)
    assert all(event.is_set() for event in told)


def test_one_that_never_answers_keeps_no_long_answer_away(serve: Serve, silent: Path) -> None:
    """The long answer exceeds the socket's buffer and arrives in several parts."""
    cores = [{"id": number, "in_request": 1, "vars": ["x" * 1000]} for number in range(500)]
    said = json.dumps({**VASSAL, "workers": [{**WORKER, "cores": cores}]}).encode()

    def answer(connection: socket.socket) -> None:
        for start in range(0, len(said), 100_000):
            connection.sendall(said[start : start + 100_000])
            time.sleep(0.01)

    long = serve("long", answer)
    told = stats.read_vassals([silent, long], 0.5)
    assert long in told
    assert told[long].workers[0].threads == 500


@pytest.mark.parametrize(
    "said",
    [
        b"",
        json.dumps(VASSAL).encode()[:-20],
        b'{"pid": 810, "workers": [',
        b'"busy"',
        b"[]",
        b"\xff\xfe{}",
        b"HTTP/1.0 200 OK\r\n\r\n",
    ],
)
def test_half_an_answer_is_none(serve: Serve, said: bytes) -> None:
    path, other = serve("blog", saying(said)), serve("other", telling(VASSAL))
    assert stats.read_vassals([path, other], PATIENCE).keys() == {other}


def test_an_answer_may_come_in_pieces(serve: Serve) -> None:
    """The answer is slow, and longer than one read."""
    said = json.dumps({**VASSAL, "padding": "x" * 1_000_000}).encode()

    def answer(connection: socket.socket) -> None:
        for start in (0, 10, 500_000):
            connection.sendall(said[start : {0: 10, 10: 500_000}.get(start, len(said))])

    path = serve("blog", answer)
    assert stats.read_vassals([path], PATIENCE)[path].pid == 810


def test_a_client_is_not_kept_by_half_an_answer(serve: Serve) -> None:
    heard = threading.Event()

    def answer(connection: socket.socket) -> None:
        connection.sendall(b'{"pid": 810')
        heard.wait(PATIENCE)

    path = serve("blog", answer)
    assert stats.read_vassals([path], 0.05) == {}
    heard.set()


def test_nobody_there_is_no_answer(serve: Serve, tmp_path: Path) -> None:
    """A missing socket, one without a listener and an ordinary file do not block the others."""
    left_behind, file = tmp_path / "old.stats", tmp_path / "file.stats"
    with socket.socket(socket.AF_UNIX) as former:
        former.bind(str(left_behind))
    file.touch()
    there = serve("blog", telling(VASSAL))
    paths = [tmp_path / "none.stats", left_behind, file, there]
    assert stats.read_vassals(paths, PATIENCE).keys() == {there}
    assert [stats.read_emperor(path, PATIENCE) for path in paths[:3]] == [None] * 3


def test_a_queue_without_room_is_no_answer(tmp_path: Path) -> None:
    """A hanging master with a full queue blocks no caller."""
    path = tmp_path / "full.stats"
    with socket.socket(socket.AF_UNIX) as listener, ExitStack() as waiting:
        listener.bind(str(path))
        listener.listen(0)
        for _ in range(3):
            client = waiting.enter_context(socket.socket(socket.AF_UNIX))
            client.setblocking(False)
            client.connect_ex(str(path))
        assert stats.read_vassals([path], PATIENCE) == {}


def test_a_name_too_long_for_a_socket_has_none(serve: Serve, tmp_path: Path) -> None:
    """A file of any name may lie in `vassals/`."""
    there = serve("blog", telling(VASSAL))
    assert stats.read_vassals([tmp_path / f"{'x' * 200}.stats", there], PATIENCE).keys() == {there}


def test_asking_nobody_is_fine() -> None:
    assert stats.read_vassals([], PATIENCE) == {}


def test_a_silent_emperor_is_none(silent: Path) -> None:
    assert stats.read_emperor(silent, 0.05) is None


def test_no_connection_stays_open(serve: Serve, silent: Path, tmp_path: Path) -> None:
    def files_open() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    before = files_open()
    for _ in range(50):
        stats.read_vassals([silent, tmp_path / "none.stats"], 0.0)
    assert files_open() == before


def test_many_open_files_do_not_matter(serve: Serve) -> None:
    """select() would fail above a thousand."""
    with ExitStack() as closing:
        for _ in range(1100):
            closing.enter_context(Path("/dev/null").open())
        path = serve("blog", telling(VASSAL))
        told = stats.read_vassals([path], PATIENCE)
        assert isinstance(told[path], VassalStats)


class Hesitant:
    """A master that answers only when it is told to, with another pid each time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.answered = 0
        self.complaints: list[OSError] = []
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()

    def answer(self) -> None:
        connection, _ = self._listener.accept()
        self.answered += 1
        try:
            with connection:
                connection.sendall(json.dumps({**VASSAL, "pid": self.answered}).encode())
        except OSError as error:
            self.complaints.append(error)

    def close(self) -> None:
        self._listener.close()


@pytest.fixture
def hesitant(tmp_path: Path) -> Iterator[Hesitant]:
    master = Hesitant(tmp_path / "hesitant.stats")
    yield master
    master.close()


def test_a_master_that_answers_late_finds_somebody_who_listens(hesitant: Hesitant) -> None:
    """Otherwise uWSGI logs an error in the Act's log for each request."""
    for _ in range(3):
        assert stats.read_vassals([hesitant.path], 0.01) == {}
    thread = threading.Timer(0.2, hesitant.answer)
    thread.start()
    assert stats.read_vassals([hesitant.path], PATIENCE)[hesitant.path].pid == 1
    thread.join()
    assert not hesitant.complaints


LIES = [
    (b"[" * 100_000, "it is not JSON"),
    (b"17", "it is a number, not an object"),
    (b"[]", "it is a list, not an object"),
    (b"{}", "it has no workers"),
    (b'{"pid": %s, "workers": []}' % (b"9" * 5000), "it is not JSON"),
    (json.dumps({**VASSAL, "pid": "812"}).encode(), "pid is text, not a number"),
    (json.dumps({**VASSAL, "pid": True}).encode(), "pid is true or false, not a number"),
    (json.dumps({**VASSAL, "pid": None}).encode(), "pid is null, not a number"),
    (json.dumps({**VASSAL, "pid": 2**40}).encode(), "pid is out of range"),
    (json.dumps({**VASSAL, "pid": -1}).encode(), "pid is out of range"),
    (json.dumps({**VASSAL, "workers": {}}).encode(), "workers is an object, not a list"),
    (json.dumps({**VASSAL, "workers": [17]}).encode(), "one of its workers is a number"),
    (json.dumps({**VASSAL, "workers": [WORKER] * 2000}).encode(), "it has 2000 workers"),
    (with_worker(requests=1e999), "requests is a fraction, not a number"),
    (with_worker(requests=float("nan")), "requests is a fraction, not a number"),
    (with_worker(requests=-1), "requests is out of range"),
    (with_worker(requests=2**60), "requests is out of range"),
    (with_worker(status=[]), "status is a list, not text"),
    (with_worker(cores="abc"), "cores is text, not a list"),
    (with_worker(cores={}), "cores is an object, not a list"),
    (with_worker(cores=[[]]), "one of its cores is a list, not an object"),
    (with_worker(cores=[{}]), "it has no in_request"),
    (with_worker(avg_rt=None), "avg_rt is null, not a number"),
    (b" " * 17_000_000, "it is longer than 4 MB"),
]


@pytest.mark.parametrize(("lie", "why"), LIES)
def test_what_uwsgi_never_says_is_odd(serve: Serve, lie: bytes, why: str) -> None:
    """The socket of an Act with its own user is in a directory of that user's."""
    liar, honest = serve("liar", saying(lie)), serve("honest", telling(VASSAL))
    heard = stats.hear_vassals([liar, honest], PATIENCE)
    assert heard.stats.keys() == {honest}
    assert heard.odd.keys() == {liar}
    assert why in heard.odd[liar]
    assert stats.read_emperor(serve("emperor", saying(lie)), PATIENCE) is None


def test_an_answer_without_end_keeps_nobody(serve: Serve) -> None:
    """Neither one that comes as fast as it can be read, nor one that comes byte by byte."""
    left = threading.Event()

    def endless(piece: bytes) -> Answer:
        def answer(connection: socket.socket) -> None:
            with suppress(OSError):
                while not left.is_set():
                    connection.sendall(piece)

        return answer

    flood, drip = serve("flood", endless(b" " * 65_536)), serve("drip", endless(b" "))
    honest = serve("honest", telling(VASSAL))
    heard = stats.hear_vassals([flood, drip, honest], 0.3)
    left.set()
    assert heard.stats.keys() == {honest}
    assert heard.odd.keys() <= {flood}


def test_the_headers_of_a_request_may_have_any_byte(serve: Serve) -> None:
    """uWSGI quotes those of requests that are being handled, control characters and all."""
    core = b'{"id": 0, "in_request": 1, "vars": ["HTTP_X=a\\"b\x01\xff\n"]}'
    said = with_worker(cores=["HERE"]).replace(b'"HERE"', core)
    path = serve("blog", saying(said))
    assert stats.read_vassals([path], PATIENCE)[path].workers[0].busy == 1


@pytest.mark.parametrize("name", ['a"b.ini', "a\\b.ini", "a\nb.ini", "\x01.ini", '","pid":7,"x":"'])
def test_the_emperor_quotes_no_name(serve: Serve, name: str) -> None:
    """Of uWSGI's stats: whatever a vassal file is called, the others are known."""
    said = json.dumps(EMPEROR, indent=1, separators=(",", ":")).encode()
    said = said.replace(b'"blog.ini"', f'"{name}"'.encode()).replace(
        b'"news.ini"', f'"{name}"'.encode()
    )
    told = stats.read_emperor(serve("emperor", saying(said)), PATIENCE)
    assert told is not None
    assert (set(told.vassals), set(told.blacklist)) == ({name, "shop.ini"}, {name})


def test_a_file_dated_before_1970_is_a_vassal_like_others(serve: Serve) -> None:
    """uWSGI writes its date without the sign."""
    entries = [{**EMPEROR["vassals"][0], "last_mod": 2**64 - 315_619_200}]
    told = stats.read_emperor(serve("emperor", telling({**EMPEROR, "vassals": entries})), PATIENCE)
    assert told is not None
    assert told.vassals["blog.ini"].last_mod == -315_619_200


@given(st.data())
def test_whatever_a_socket_says_is_a_report_or_odd(data: st.DataObject) -> None:
    """Nothing else than Odd is raised, and what is reported has the types that it should have."""
    said = json.dumps(mutated(data.draw, data.draw(st.sampled_from([VASSAL, EMPEROR])))).encode()
    cut = data.draw(st.integers(0, 3)) or -1
    with suppress(stats.Odd):
        told = stats.vassal_stats(said[: len(said) // cut] if cut > 0 else said)
        assert all(type(each.busy) is type(each.pid) is int for each in told.workers)
        assert all(each.busy <= each.threads for each in told.workers)
    with suppress(stats.Odd):
        vassals = stats.emperor_stats(said).vassals
        assert all(abs(each.last_mod) < 2**37 for each in vassals.values())


@given(st.binary(max_size=300))
def test_no_bytes_are_taken_for_a_report(said: bytes) -> None:
    with pytest.raises(stats.Odd):
        stats.vassal_stats(said)


def test_what_was_answered_before_the_question_is_no_answer(hesitant: Hesitant) -> None:
    assert stats.read_vassals([hesitant.path], 0.01) == {}
    hesitant.answer()
    thread = threading.Timer(0.2, hesitant.answer)
    thread.start()
    assert stats.read_vassals([hesitant.path], PATIENCE)[hesitant.path].pid == 2
    thread.join()
    assert not hesitant.complaints


def test_a_forked_process_asks_for_itself(hesitant: Hesitant) -> None:
    assert stats.read_vassals([hesitant.path], 0.01) == {}
    child = os.fork()
    if child == 0:
        told = stats.read_vassals([hesitant.path], PATIENCE)
        os._exit(told[hesitant.path].pid)
    hesitant.answer()
    hesitant.answer()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 2
    assert not hesitant.complaints
