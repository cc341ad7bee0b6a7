"""Questions about health, put to servers that answer well, badly, or not at all."""

from __future__ import annotations

import os
import select
import signal
import socket
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from backstage.facts.health import HealthCheck
from backstage.layout.paths import ActPaths, VenuePaths
from backstage.system import processes, users
from backstage.system.deadlines import Deadline, until
from backstage.uwsgi import places, questions
from backstage.uwsgi.ini import Address
from backstage.uwsgi.places import Place
from backstage.uwsgi.questions import Answer, CommandQuestion, PageQuestion
from tests.conftest import Listen

PATIENCE = 20.0
UP = HealthCheck(path="/up", timeout=PATIENCE)
PLAIN = b"HTTP/1.0 %d Whatever\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
HTML = b"HTTP/1.1 500 Internal Server Error\r\nContent-Type: text/html\r\n\r\n"

Serve = Callable[..., Address]


@pytest.fixture
def serve(listen: Listen) -> Serve:
    """A server that sends its one client some bytes, then closes the connection, or holds it."""

    def start(*parts: bytes, hold: threading.Event | None = None) -> Address:
        listener = listen()

        def work() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(4096)
                for part in parts:
                    connection.sendall(part)
                if hold:
                    hold.wait(PATIENCE)

        threading.Thread(target=work, daemon=True).start()
        return Address("127.0.0.1", listener.getsockname()[1], "http-socket")

    return start


def answer(
    at: Address | Path, check: HealthCheck = UP, protocol: str = places.HTTP
) -> Answer | None:
    with closing(PageQuestion(Place(protocol, at), check)) as question:
        return question.answer(PATIENCE)


@pytest.mark.parametrize("status", [200, 204, 302, 404])
def test_any_status_below_500_is_well(serve: Serve, status: int) -> None:
    assert answer(serve(PLAIN % status)) == Answer(True, status=status)


def test_an_error_is_told_with_the_first_line_of_plain_text(serve: Serve) -> None:
    place = serve(PLAIN % 503 + b"no database\nsecond line\n")
    assert answer(place) == Answer(False, "/up says 503", "no database", 503)


def test_a_page_of_html_is_not_told(serve: Serve) -> None:
    assert answer(serve(HTML + b"<h1>Error</h1>")) == Answer(False, "/up says 500", "", 500)


def test_the_status_that_is_set_has_to_be_met(serve: Serve) -> None:
    check = HealthCheck(path="/up", status=204, timeout=PATIENCE)
    assert answer(serve(PLAIN % 204), check) == Answer(True, status=204)
    wrong = answer(serve(PLAIN % 200), check)
    assert wrong
    assert (wrong.ok, wrong.what) == (False, "/up says 200, not 204")


def test_the_text_that_is_set_has_to_be_there(serve: Serve) -> None:
    check = HealthCheck(path="/up", text="all well", timeout=PATIENCE)
    body = b"x" * 100_000
    assert answer(serve(PLAIN % 200, body, b"all well"), check) == Answer(True, status=200)
    wrong = answer(serve(PLAIN % 200, body), check)
    assert (wrong.ok, wrong.what) == (False, "/up does not contain 'all well'")


@pytest.mark.parametrize(
    ("said", "what"),
    [(b"", "gives no answer"), (b"\x00\xff\x1b[2J" * 99, "answers with something else than HTTP")],
)
def test_what_is_no_http_is_no_answer(serve: Serve, said: bytes, what: str) -> None:
    assert answer(serve(said)) == Answer(False, f"/up {what}")


def test_of_an_endless_answer_only_the_beginning_is_read(serve: Serve) -> None:
    """The server still holds the connection, and would have more to send."""
    hold = threading.Event()
    found = answer(serve(PLAIN % 503, b"y" * 100_000, hold=hold))
    hold.set()
    assert found
    assert (found.what, len(found.words) < 20_000) == ("/up says 503", True)


def test_an_answer_of_a_known_length_is_not_waited_for_longer(serve: Serve) -> None:
    hold = threading.Event()
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"
    assert answer(serve(head, b"ok", hold=hold)) == Answer(True, status=200)
    hold.set()


def test_silence_becomes_an_answer_when_its_time_is_over(serve: Serve) -> None:
    hold = threading.Event()
    place = Place(places.HTTP, serve(hold=hold))
    with closing(PageQuestion(place, HealthCheck(path="/up", timeout=0.3))) as question:
        assert question.answer(0) is None
        assert question.answer(PATIENCE) == Answer(False, "/up has not answered in 0.3 s")
    hold.set()


def test_a_page_that_never_ends_is_judged_by_its_status(serve: Serve) -> None:
    hold = threading.Event()
    check = HealthCheck(path="/events", timeout=0.3)
    assert answer(serve(PLAIN % 200 + b"data: 1\n", hold=hold), check) == Answer(True, status=200)
    hold.set()


def test_a_closed_port_gives_no_answer(listen: Listen) -> None:
    listener = listen()
    place = Address("127.0.0.1", listener.getsockname()[1], "http-socket")
    listener.close()
    assert answer(place) == Answer(False, "/up gives no answer")


def test_a_unix_socket_is_asked_too_and_the_request_names_the_host(tmp_path: Path) -> None:
    path, asked = tmp_path / "http.sock", list[bytes]()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def work() -> None:
            connection, _ = listener.accept()
            with connection:
                asked.append(connection.recv(4096))
                connection.sendall(PLAIN % 200)

        threading.Thread(target=work, daemon=True).start()
        check = HealthCheck(path="/up", host="example.org", timeout=PATIENCE)
        assert answer(path, check) == Answer(True, status=200)
    assert asked[0].startswith(b"GET /up HTTP/1.0\r\nHost: example.org\r\n")


def test_the_uwsgi_protocol_is_spoken_where_it_is_expected(listen: Listen) -> None:
    """The size of the packet is in its head; a page with a query is split as HTTP servers do."""
    listener, asked = listen(), list[bytes]()

    def work() -> None:
        connection, _ = listener.accept()
        with connection:
            asked.append(connection.recv(4096))
            connection.sendall(PLAIN % 503 + b"no database\n")

    threading.Thread(target=work, daemon=True).start()
    place = Address("127.0.0.1", listener.getsockname()[1], "socket")
    check = HealthCheck(path="/up%20to?now=1", host="example.org", timeout=PATIENCE)
    said = Answer(False, "/up%20to?now=1 says 503", "no database", 503)
    assert answer(place, check, places.UWSGI) == said
    head, body = asked[0][:4], asked[0][4:]
    assert head == b"\0" + len(body).to_bytes(2, "little") + b"\0"
    for name, value in (
        (b"REQUEST_METHOD", b"GET"),
        (b"PATH_INFO", b"/up to"),
        (b"QUERY_STRING", b"now=1"),
        (b"HTTP_HOST", b"example.org"),
    ):
        sizes = [len(each).to_bytes(2, "little") for each in (name, value)]
        assert sizes[0] + name + sizes[1] + value in body


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("true", Answer(True)),
        ("echo one; echo two; exit 3", "ends with exit code 3: two"),
        ("exec sleep 60", "has not ended in 0.5 s: "),
    ],
)
def test_a_command_has_to_end_with_0(tmp_path: Path, command: str, expected: Answer | str) -> None:
    act = VenuePaths(tmp_path).act("blog")
    act.top.mkdir(parents=True)
    timeout = 0.5 if "sleep" in command else PATIENCE
    with closing(CommandQuestion(act, HealthCheck(command=command, timeout=timeout))) as question:
        found = question.answer(PATIENCE)
    assert found
    if isinstance(expected, Answer):
        assert found == expected
    else:
        assert f"{found.what}: {found.words}" == f"`{command}` {expected}"


def test_a_command_that_is_given_up_does_not_run_on(tmp_path: Path) -> None:
    act = VenuePaths(tmp_path).act("blog")
    act.top.mkdir(parents=True)
    command = "echo $$ > pid; exec sleep 60"
    question = CommandQuestion(act, HealthCheck(command=command, timeout=PATIENCE))
    end = time.monotonic() + PATIENCE
    while not (act.top / "pid").exists() and time.monotonic() < end:
        assert question.answer(0.01) is None
    question.close()
    pid = int((act.top / "pid").read_text())
    assert not Path(f"/proc/{pid}").exists()


def test_nothing_that_a_command_has_started_runs_on(tmp_path: Path) -> None:
    """The shell waits for a pipeline, which would wait for a site that hangs."""
    act = VenuePaths(tmp_path).act("blog")
    act.top.mkdir(parents=True)
    command = "sh -c 'echo $$ > pid; exec sleep 60' | cat"
    question = CommandQuestion(act, HealthCheck(command=command, timeout=PATIENCE))
    assert until(lambda: (act.top / "pid").is_file() and written(act) != "", Deadline(PATIENCE))
    question.close()
    pid = int(written(act))
    # Whoever adopts it may not have buried it yet.
    assert until(lambda: not processes.alive(pid), Deadline(PATIENCE))


def written(act: ActPaths) -> str:
    return (act.top / "pid").read_text().strip()


def test_a_command_that_closes_its_output_wakes_nobody_until_it_ends(tmp_path: Path) -> None:
    act = VenuePaths(tmp_path).act("blog")
    act.top.mkdir(parents=True)
    os.mkfifo(act.top / "end")
    command = "exec >/dev/null 2>&1; read word < end; exit 3"
    with closing(CommandQuestion(act, HealthCheck(command=command, timeout=PATIENCE))) as question:
        waiting = select.poll()
        waiting.register(question.fileno(), select.POLLIN)
        assert waiting.poll(PATIENCE * 1000)
        assert question.answer(0) is None
        assert not waiting.poll(100)
        (act.top / "end").write_text("now\n")
        assert waiting.poll(PATIENCE * 1000)
        assert question.answer(PATIENCE) == Answer(False, f"`{command}` ends with exit code 3")


def test_a_command_has_ended_though_another_process_holds_its_output(tmp_path: Path) -> None:
    """Which nobody waits for."""
    act = VenuePaths(tmp_path).act("blog")
    act.top.mkdir(parents=True)
    command = "sleep 60 & echo $! > pid; echo last; sleep 0.5; exit 3"
    with closing(CommandQuestion(act, HealthCheck(command=command, timeout=60))) as question:
        deadline = Deadline(PATIENCE)
        answer = question.answer(PATIENCE)
        is_late = deadline.expired
    os.kill(int(written(act)), signal.SIGKILL)
    assert answer == Answer(False, f"`{command}` ends with exit code 3", "last")
    assert not is_late


def test_root_runs_no_command_that_others_can_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The Act says so instead, and what to type."""
    act = VenuePaths(tmp_path).act("blog")
    act.top.mkdir(parents=True)
    settings = act.venue.settings
    settings.touch()
    monkeypatch.setattr(users, "am_root", lambda: True)
    monkeypatch.setattr(users, "stand_in", lambda *_: None)
    monkeypatch.setattr(users, "ROOT", os.geteuid())
    found = list[Answer | None]()
    for mode in (0o664, 0o646, 0o644):
        settings.chmod(mode)
        question = questions.ask(act, HealthCheck(command="touch ran", timeout=PATIENCE))
        assert question
        with closing(question):
            found.append(question.answer(PATIENCE))
        assert (act.top / "ran").exists() is (mode == 0o644)
    why = (
        "`touch ran` is not run as root: venue.yaml can be changed by others; "
        f"type: chown root {settings} && chmod go-w {settings}"
    )
    assert found == [Answer(False, why), Answer(False, why), Answer(True)]
