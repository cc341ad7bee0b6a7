"""Running means that a visitor gets an answer: health checks of real Acts."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from backstage.act import Act
from backstage.errors import ActFailed, PortUnavailable
from backstage.events.event import Event
from backstage.facts.states import State
from backstage.shortcuts import new_act, new_venue
from backstage.status import waiting
from backstage.system.deadlines import Deadline, until
from backstage.venue import Venue
from tests.conftest import Listen

from .calling import call
from .conftest import fetch

PATIENCE = 60.0
# A project of one file, which does what the file `mode` beside it says.
ODD = """
import os, time
from pathlib import Path

MODE = Path(__file__).with_name("mode")

def application(environ, start_response):
    mode = MODE.read_text().strip()
    if mode == "hang" and environ["PATH_INFO"] == "/":
        while MODE.read_text().strip() == "hang":
            time.sleep(0.02)
    plain = [("Content-Type", "text/plain")]
    if mode == "garbage":
        start_response("500 Bad", plain)
        return [bytes(range(256)) * 100]
    if mode == "huge":
        start_response("500 Bad", plain)
        return [b"x" * 1_000_000] * 50
    if mode == "crash":
        raise RuntimeError("broken on purpose")
    start_response("200 OK", plain)
    return [b"fine"]
"""


Behave = Callable[[str], None]


def set_health(venue: Venue, name: str, health: str) -> None:
    venue.paths.settings.write_text(f"acts: {{{name}: {{health: {health}}}}}\n")


@contextmanager
def seen_events(venue: Venue) -> Iterator[list[Event]]:
    """A list that grows with every event of the Venue."""
    seen: list[Event] = []
    with venue.events() as events:

        def work() -> None:
            seen.extend(events)

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        yield seen
        events.close()
        thread.join(PATIENCE)


def await_change(seen: list[Event], before: State, after: State) -> Event:
    def found() -> Event | None:
        return next((each for each in seen if (each.before, each.after) == (before, after)), None)

    assert until(lambda: found() is not None, Deadline(PATIENCE)), seen
    event = found()
    assert event
    return event


@pytest.fixture(scope="module")
def venue(stage: Path) -> Iterator[Venue]:
    """A Venue whose settings and whose Emperor these tests may change."""
    venue = new_venue("healthy", stage)
    yield venue
    venue.stop()


@pytest.fixture(scope="module")
def blog(venue: Venue) -> Act:
    """A scaffolded Act; each test leaves it as it was."""
    return new_act(venue, "blog")


@pytest.fixture(scope="module")
def behave(venue: Venue) -> Behave:
    """Changes the mode of the project of one file."""
    package = venue.paths.act("odd").top / "odd"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "wsgi.py").write_text(ODD)

    def behave(mode: str) -> None:
        part = package / "part"
        part.write_text(mode)
        part.replace(package / "mode")

    behave("fine")
    return behave


@pytest.fixture(scope="module")
def odd(venue: Venue, behave: Behave) -> Act:
    """An Act of that project; each test leaves it stopped."""
    return new_act(venue, "odd", start=False)


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """No Act gets time to get well: here, each stays as it is."""
    monkeypatch.setattr(waiting, "_GRACE", 0.0)


@contextmanager
def broken_urls(blog: Act, line: str) -> Iterator[None]:
    urls = blog.paths.top / blog.name / "urls.py"
    good = urls.read_text()
    urls.write_text(f"{good}\n{line}\n")
    try:
        yield
    finally:
        urls.write_text(good)


@pytest.mark.slow
@pytest.mark.usefixtures("hasty")
def test_a_restart_with_broken_urls_raises_with_the_reason(venue: Venue, blog: Act) -> None:
    for line, error in (
        ("import missing_thing", "ModuleNotFoundError: No module named 'missing_thing'"),
        ("def (", "SyntaxError: invalid syntax"),
    ):
        with broken_urls(blog, line):
            with pytest.raises(ActFailed, match="not answer well: /readyz says 503") as caught:
                blog.restart(check=False)
            assert error in caught.value.reason
            assert f"{blog.name}/urls.py, line" in caught.value.reason
            now = blog.snapshot()
            assert (now.state, now.reason) == (State.UNHEALTHY, caught.value.reason)
            assert any(error in finding.what for finding in venue.examine(blog.name))
            done = call("status", blog.name, cwd=venue.path)
            assert done.returncode == 1
            assert f"{blog.name}: /readyz says 503" in done.stdout
    blog.restart()
    assert call("status", blog.name, cwd=venue.path).returncode == 0


@pytest.mark.slow
def test_a_restart_without_database_raises_and_recovery_is_an_event(
    venue: Venue, blog: Act
) -> None:
    """It says what is missing; once it is back, no restart is needed."""
    files = sorted(blog.paths.top.glob("db.sqlite3*"))
    with seen_events(venue) as seen:
        for file in files:
            file.rename(file.with_name(f"away-{file.name}"))
        try:
            why = r"unapplied migrations: \d+, first \w+\.0001_initial"
            with pytest.raises(ActFailed, match=why):
                blog.restart(check=False)
            bad = await_change(seen, State.RELOADING, State.UNHEALTHY)
            assert "run manage.py migrate" in bad.reason
        finally:
            for file in files:
                file.with_name(f"away-{file.name}").replace(file)
        await_change(seen, State.UNHEALTHY, State.RUNNING)
    assert blog.state is State.RUNNING


def test_known_health_costs_no_requests(venue: Venue, blog: Act) -> None:
    """Whoever asks writes down the answer: many looks leave it as the one before wrote it."""

    def is_left_by_looks() -> bool:
        told = blog.paths.health.read_text()
        for _ in range(20):
            assert blog.state is State.RUNNING
            venue.snapshot()
        return blog.paths.health.read_text() == told

    blog.restart()
    # The watcher may have asked meanwhile, which it does twice a minute.
    assert any(is_left_by_looks() for _ in range(3))


def test_its_requests_are_not_counted(blog: Act) -> None:
    """A record that is old makes each look ask anew."""

    def are_left_out() -> bool:
        counted, noted = blog.snapshot().requests, json.loads(blog.paths.health.read_text())
        for asked in range(5):
            old = {**noted, "at": noted["at"] - 1000, "asked": noted["asked"] + asked}
            blog.paths.health.write_text(json.dumps(old))
            blog.snapshot()
        assert json.loads(blog.paths.health.read_text())["asked"] == noted["asked"] + 5
        return until(lambda: blog.snapshot().requests == counted, Deadline(5.0))

    blog.restart()
    # The watcher may have asked meanwhile, which it does twice a minute.
    assert any(are_left_out() for _ in range(3))


def test_an_act_that_came_by_hand_is_asked_when_somebody_looks(venue: Venue, blog: Act) -> None:
    """Without a record of its present processes, or with nonsense for one, it is asked."""
    for content in (None, "nonsense"):
        blog.paths.health.unlink()
        if content:
            blog.paths.health.write_text(content)
        assert blog.state is State.RUNNING
        assert '"ok": true' in blog.paths.health.read_text()


@pytest.mark.slow
@pytest.mark.usefixtures("hasty")
def test_foreign_projects_are_asked_for_their_first_page(
    venue: Venue, odd: Act, behave: Behave
) -> None:
    """Whatever they answer, the reason is one short line; a page that hangs delays nobody."""
    before = venue.paths.settings.read_text()
    odd.start()
    for mode, reason in (
        ("crash", "gives no answer"),
        ("garbage", "/ says 500"),
        ("huge", "/ says 500: xxx"),
    ):
        behave(mode)
        with pytest.raises(ActFailed, match="does not answer well: /") as caught:
            odd.restart(check=False)
        assert reason in caught.value.reason or "broken on purpose" in caught.value.reason
        assert odd.state is State.UNHEALTHY
        assert len(odd.snapshot().reason) <= 300
        assert odd.snapshot().reason.isprintable()
        behave("fine")
        assert odd.state is State.RUNNING, "it is asked again when somebody looks"
    set_health(venue, odd.name, "{path: /, timeout: 1s}")
    behave("hang")
    with pytest.raises(ActFailed, match="/ has not answered in 1 s"):
        odd.restart(check=False)
    assert odd.state is State.UNHEALTHY
    behave("fine")
    set_health(venue, odd.name, "{path: /, text: something else}")
    with pytest.raises(ActFailed, match="/ does not contain 'something else'"):
        odd.restart(check=False)
    set_health(venue, odd.name, "{command: 'echo no queue; false'}")
    with pytest.raises(ActFailed, match="`echo no queue; false` ends with exit code 1: no queue"):
        odd.restart(check=False)
    set_health(venue, odd.name, "none")
    assert odd.state is State.RUNNING
    odd.restart(check=False)
    venue.paths.settings.write_text(before)
    odd.stop()


@pytest.mark.slow
def test_a_drained_act_serves_everybody_over_a_restart(venue: Venue, blog: Act) -> None:
    """Its health path says 503 all the while, and no request fails."""
    failed: list[object] = []
    done = threading.Event()

    def visit() -> None:
        while not done.is_set():
            connection = http.client.HTTPConnection("127.0.0.1", blog.get_uwsgi_port(), timeout=60)
            try:
                connection.request("GET", "/", headers={"Host": "localhost"})
                answer = connection.getresponse()
                answer.read()
                if answer.status != 200:
                    failed.append(answer.status)
            except OSError as error:
                failed.append(error)
            finally:
                connection.close()

    visitors = [threading.Thread(target=visit) for _ in range(2)]
    for visitor in visitors:
        visitor.start()
    with seen_events(venue) as seen:
        assert call("drain", blog.name, cwd=venue.path).returncode == 0
        assert fetch(blog, "readyz") == (503, "draining\n")
        now = blog.snapshot()
        assert (now.state, now.draining, now.reason) == (State.RUNNING, True, "draining")
        blog.restart()
        assert fetch(blog, "readyz") == (503, "draining\n")
        blog.undrain()
        assert until(lambda: any("no longer" in each.reason for each in seen), Deadline(PATIENCE))
    assert fetch(blog, "readyz") == (200, "ok\n")
    done.set()
    for visitor in visitors:
        visitor.join()
    assert not failed
    told = [each.reason for each in seen if each.before is each.after]
    assert told == ["draining", "no longer draining"]


def test_a_stop_can_drain_first_and_a_start_ends_it(venue: Venue, blog: Act) -> None:
    with seen_events(venue) as seen:
        assert call("stop", blog.name, "--drain", "0.5s", cwd=venue.path).returncode == 0
        await_change(seen, State.STOPPING, State.STOPPED)
    assert "draining" in [each.reason for each in seen]
    assert not blog.paths.drain.exists()
    blog.paths.drain.write_text("left over\n")
    blog.start()
    assert fetch(blog, "readyz") == (200, "ok\n")


def test_a_stop_that_is_broken_off_leaves_no_act_drained(
    blog: Act, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_seconds: float) -> None:
        assert blog.paths.drain.exists()
        raise KeyboardInterrupt

    monkeypatch.setattr("backstage.act.time", SimpleNamespace(sleep=interrupt))
    with pytest.raises(KeyboardInterrupt):
        blog.stop(drain=60.0)
    assert blog.state is State.RUNNING
    assert not blog.paths.drain.exists()
    blog.drain()
    with pytest.raises(KeyboardInterrupt):
        blog.stop(drain=60.0)
    assert blog.paths.drain.exists(), "it was drained before"
    blog.undrain()


@pytest.mark.parametrize("health", ["/", "/admin/login/", "none"])
def test_only_a_project_that_says_so_can_be_drained(venue: Venue, blog: Act, health: str) -> None:
    before = venue.paths.settings.read_text()
    set_health(venue, blog.name, health)
    with pytest.raises(ActFailed, match=r"cannot be drained: .*health: /PATH.*BACKSTAGE_DRAIN"):
        blog.drain()
    assert not blog.paths.drain.exists()
    venue.paths.settings.write_text(before)


@pytest.mark.slow
def test_a_start_on_a_port_of_another_program_raises(odd: Act, listen: Listen) -> None:
    """Also if that program answers requests, and the Emperor is trying already."""
    other = listen(port=odd.get_uwsgi_port())

    def serve() -> None:
        while True:
            try:
                connection, _ = other.accept()
            except OSError:
                return
            with connection:
                connection.recv(4096)
                connection.sendall(b"HTTP/1.0 200 OK\r\n\r\nhello")

    threading.Thread(target=serve, daemon=True).start()
    odd.paths.kept.rename(odd.paths.vassal)
    for _ in range(4):
        with pytest.raises((ActFailed, PortUnavailable), match=f"port {odd.get_uwsgi_port()} is"):
            odd.start()
    odd.stop()


@pytest.mark.slow
def test_wanted_acts_without_an_emperor_are_told_by_the_exit_code(venue: Venue, blog: Act) -> None:
    assert call("status", cwd=venue.path).returncode == 0
    pid = venue.emperor.pid
    assert pid
    os.kill(pid, signal.SIGKILL)
    assert until(lambda: blog.state is State.WAITING, Deadline(PATIENCE))
    assert call("status", cwd=venue.path).returncode == 1
    blog.start()


@pytest.mark.slow
def test_the_end_of_the_unit_drains_first(venue: Venue, blog: Act) -> None:
    script: Path = venue.paths.templates / "end.py"
    emperor = venue.emperor.pid
    command = [sys.executable, "-I", "-S", str(script), str(emperor), "3"]
    with subprocess.Popen(command) as ending:
        assert until(blog.paths.drain.exists, Deadline(PATIENCE))
        assert fetch(blog, "readyz") == (503, "draining\n")
        assert fetch(blog)[0] == 200
        assert ending.wait(PATIENCE) == 0
    assert venue.emperor.pid is None
    assert not blog.paths.drain.exists()
    blog.start()
