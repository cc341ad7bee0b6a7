"""What an Act is handed, and what others may have put where a Venue is looked for."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from backstage.act import Act
from backstage.errors import ActFailed, BackstageError, UnsafeDirectory
from backstage.shortcuts import new_act, new_venue
from backstage.status.evidence import gather
from backstage.system.deadlines import Deadline, until
from backstage.venue import Venue
from tests.integration.open_files import inherited, opened
from tests.patience import PATIENCE

# A child of the worker inherits what the worker does not close.
SPAWNING = """
import subprocess
subprocess.Popen(["/bin/sleep", "1000"], close_fds=False)
"""


@pytest.fixture(scope="module")
def house(stage: Path) -> Iterator[Venue]:
    """A Venue of this file's, with one Act."""
    venue = new_venue("house", stage)
    new_act(venue, "blog")
    yield venue
    venue.stop(wait=5.0)


@pytest.fixture
def blog(house: Venue) -> Act:
    return house["blog"]


def emperor_of(venue: Venue) -> int:
    pid = venue.emperor.pid
    assert pid
    return pid


def test_an_act_has_nothing_open_that_the_emperor_has(house: Venue, blog: Act) -> None:
    """Neither master, worker, what a worker starts, nor the watcher with its health command."""
    wsgi = blog.paths.top / "blog" / "wsgi.py"
    former, settings = wsgi.read_text(), house.paths.settings.read_text()
    wsgi.write_text(SPAWNING + former)
    health = "acts: {blog: {health: {command: sleep 1000, timeout: 60s}}}\n"
    try:
        blog.stop()
        blog.start()
        house.paths.settings.write_text(settings + health)
        emperor = emperor_of(house)

        def commands() -> set[str]:
            family = psutil.Process(emperor).children(recursive=True)
            return {" ".join(process.cmdline()[-2:]) for process in family}

        assert until(lambda: "sleep 1000" in commands(), Deadline(PATIENCE)), commands()
        assert until(lambda: "/bin/sleep 1000" in commands(), Deadline(PATIENCE)), commands()
        assert inherited(emperor) == {}
        streams = {opened(child.pid)[0] for child in psutil.Process(emperor).children()}
        assert streams == {"/dev/null"}
    finally:
        wsgi.write_text(former)
        house.paths.settings.write_text(settings)
        blog.stop()
        blog.start()


def test_what_uwsgi_says_before_it_has_a_log_is_in_the_acts(house: Venue, blog: Act) -> None:
    text, said = blog.vassal_text, house.paths.emperor_log.read_text()
    blog.stop()
    blog.paths.kept.write_text(text + "threds = 4\n")
    with pytest.raises(ActFailed, match="unknown option 'threds'"):
        blog.start()
    new = house.paths.emperor_log.read_text().removeprefix(said)
    blog.stop()
    blog.paths.kept.write_text(text)
    blog.start()
    assert "threds" in blog.paths.log.read_text()
    assert "threds" not in new
    assert "blog.ini starts (pid " in new
    assert "getting INI configuration" not in new


@pytest.fixture
def planted(house: Venue, monkeypatch: pytest.MonkeyPatch) -> Iterator[Venue]:
    """The same Venue, as one that another user has laid out."""
    house.stop(wait=5.0)
    if os.geteuid() == 0:
        os.chown(house.path, 12345, -1)
    monkeypatch.setattr(os, "geteuid", lambda: 23456)
    yield house
    monkeypatch.undo()
    os.chown(house.path, os.geteuid(), -1)


@pytest.mark.parametrize(
    "call",
    [
        lambda venue: venue["blog"].manage("check"),
        lambda venue: venue["blog"].manage_here("check"),
        lambda venue: venue["blog"].check("[uwsgi]\n"),
        lambda venue: venue["blog"].rewrite("[uwsgi]\n", based_on=""),
        lambda venue: venue["blog"].start(),
        lambda venue: venue["blog"].restart(),
        lambda venue: venue["blog"].stop(),
        lambda venue: venue["blog"].retire(),
        lambda venue: venue.start(),
        lambda venue: venue.stop(),
        lambda venue: new_act(venue, "more"),
    ],
)
def test_nothing_is_run_or_changed_in_the_venue_of_another_user(
    planted: Venue, call: Callable[[Venue], object]
) -> None:
    """As which a directory above the present one may be taken."""
    files = sorted(planted.path.rglob("*"))
    spy = planted.path / "spied"
    python = planted.paths.python
    python.rename(python.with_name("kept"))
    python.write_text(f"#!/bin/sh\ntouch {spy}\n")
    python.chmod(0o755)
    try:
        with pytest.raises(UnsafeDirectory, match="so nothing in it is run"):
            call(planted)
        assert not spy.exists()
    finally:
        python.with_name("kept").replace(python)
    assert sorted(planted.path.rglob("*")) == files


@contextmanager
def no_waiting() -> Iterator[None]:
    """Whoever opens a pipe that nobody writes to waits for ever."""

    def give_up(*_: object) -> None:
        raise TimeoutError("it waits")

    former = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(int(PATIENCE))
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, former)


REPLACED = (
    *("log/blog.log", "log/emperor.log", "log/events.jsonl", "run/emperor.pid", ".emperor.lock"),
    *(f"run/blog.{suffix}" for suffix in ("tries", "refused", "environ", "health", "loaded")),
    *("kept/blog.launch", "kept/blog.ini", "vassals/blog.ini", "acts/blog/.env", "emperor.ini"),
    *(f".backstage/{name}" for name in ("shipped.json", "notices.json", "watcher.lock")),
    *(".backstage/upgrade.json", ".backstage/past/blog.json", ".backstage/watcher.log"),
    *("pyvenv.cfg", "venue.yaml"),
)
LOOKS: tuple[Callable[[Venue], object], ...] = (
    lambda venue: venue.snapshot(),
    lambda venue: [*venue.logs()],
    lambda venue: [*venue.history()],
    lambda venue: venue.watcher,
    lambda venue: repr(venue),
    lambda venue: venue["blog"].log_tail(),
    lambda venue: venue["blog"].vassal_text,
    lambda venue: dict(venue["blog"].env),
    lambda venue: venue["blog"].check("[uwsgi]\n"),
    lambda venue: gather(venue["blog"].paths).said,
    lambda venue: venue["blog"].stop(),
    lambda venue: venue.stop(),
)


@pytest.mark.parametrize("name", REPLACED)
def test_no_pipe_in_the_place_of_a_file_keeps_anybody_waiting(house: Venue, name: str) -> None:
    house.stop(wait=5.0)
    path = house.path / name
    kept = house.path / "kept-meanwhile"
    if path.exists():
        path.rename(kept)
    path.parent.mkdir(exist_ok=True)
    os.mkfifo(path)
    try:
        with no_waiting():
            for look in LOOKS:
                with suppress(BackstageError):
                    look(house)
    finally:
        path.unlink(missing_ok=True)
        if kept.exists():
            kept.rename(path)


def test_nobody_else_can_write_what_was_made_with_a_careless_umask(stage: Path) -> None:
    former = os.umask(0)
    try:
        made = new_venue("careless", stage, start=False)
        new_act(made, "blog", start=False)
    finally:
        os.umask(former)
    everything = [path for path in made.path.rglob("*") if not path.is_symlink()]
    assert len(everything) > 1000
    assert [path for path in everything if path.stat().st_mode & 0o022] == []


@pytest.mark.parametrize("mode", [0o664, 0o646])
def test_an_act_that_others_can_change_is_not_started(house: Venue, blog: Act, mode: int) -> None:
    """Neither by a call, nor by the Emperor as soon as its file is there."""
    house.start()
    blog.stop()
    blog.paths.kept.chmod(mode)
    with pytest.raises(UnsafeDirectory, match="chmod go-w "):
        blog.start()
    blog.paths.kept.chmod(0o644)
    dropped = blog.paths.vassal.with_name("blog.part")
    dropped.write_text(blog.paths.kept.read_text())
    dropped.chmod(0o646)
    dropped.rename(blog.paths.vassal)
    house.emperor.wake()
    assert until(lambda: "others can change it" in blog.snapshot().reason, Deadline(PATIENCE))
    assert "chmod go-w" in blog.snapshot().reason
    blog.paths.vassal.chmod(0o644)
    blog.start()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_an_emperor_of_roots_runs_no_file_of_another_user(house: Venue, blog: Act) -> None:
    house.start()
    blog.stop()
    spy = house.path / "spied"
    dropped = blog.paths.vassal.with_name("blog.part")
    dropped.write_text(f"{blog.paths.kept.read_text()}exec-asap = touch {spy}\n")
    os.chown(dropped, 12345, -1)
    dropped.rename(blog.paths.vassal)
    house.emperor.wake()
    assert until(lambda: "others can change it" in blog.snapshot().reason, Deadline(PATIENCE))
    assert not spy.exists()
    os.chown(blog.paths.vassal, 0, -1)
    blog.start()
    assert spy.exists()
