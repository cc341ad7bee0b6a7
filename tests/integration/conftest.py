"""Real Venues for the integration tests, and proof that none of them leaves a process."""

from __future__ import annotations

import shutil
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from itertools import count
from pathlib import Path
from typing import Any

import psutil
import pytest

from backstage.act import Act
from backstage.layout.paths import VenuePaths
from backstage.operations.new_venue import configure
from backstage.shortcuts import new_venue
from backstage.uwsgi import vassal_files
from backstage.uwsgi.emperor import Emperor
from backstage.venue import Venue
from tests.endings import ENDING
from tests.integration.machine import Machine, booted, missing, skipping_unbootable
from tests.patience import PATIENCE

MakeVenue = Callable[..., Venue]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "integration" in item.path.parts:
            item.add_marker(pytest.mark.integration)


@pytest.fixture(scope="session")
def stage() -> Iterator[Path]:
    """A directory for Venues, near the root because socket paths are short; no process is left."""
    top = Path(tempfile.mkdtemp(prefix="bs-")).resolve()
    yield top
    if ENDING.begun:
        kill_within(top)
    for settings in top.rglob("venue.yaml"):
        Emperor(VenuePaths(settings.parent)).stop(wait=5.0)
    left = processes_within(top)
    shutil.rmtree(top)
    assert not left, f"still running: {left}"


@pytest.fixture(scope="session")
def venue(stage: Path) -> Venue:
    """One Venue for all tests, each of which creates its own Acts."""
    return new_venue("shared", stage)


@pytest.fixture
def make_venue(stage: Path, spares: list[Venue]) -> Iterator[MakeVenue]:
    """Makes Venues for one test; without options, it may reuse one that another test left."""
    lent: list[Venue] = []

    def make(*, start: bool = True, **options: Any) -> Venue:
        venue = spares.pop() if spares and not options else None
        venue = venue or new_venue(f"v{next(_numbers)}", stage, start=False, **options)
        lent.append(venue)
        if start:
            venue.start()
        return venue

    yield make
    if ENDING.begun:
        return
    for venue in lent:
        venue.stop(wait=5.0)
        _make_new(venue)
        spares.append(venue)


@pytest.fixture(scope="session")
def spares() -> list[Venue]:
    """Venues for reuse, as good as new: building and removing one takes longer than most tests."""
    return []


@pytest.fixture(scope="session")
def machine() -> Iterator[Machine]:
    """A machine with systemd and nginx, booted once for all tests that need one."""
    if reason := missing():
        pytest.skip(reason)
    with ExitStack() as ending:
        with skipping_unbootable():
            machine = ending.enter_context(booted("tests"))
        yield machine


def _make_new(venue: Venue) -> None:
    paths = venue.paths
    for directory in (
        paths.acts,
        paths.vassals,
        paths.kept,
        paths.log,
        paths.retired,
        paths.templates,
    ):
        shutil.rmtree(directory, ignore_errors=True)
    for file in (paths.emperor_ini, paths.settings, paths.emperor_pid):
        file.unlink(missing_ok=True)
    configure(paths)


@pytest.fixture
def fresh_name() -> str:
    """A name for an Act that no other test uses."""
    return f"act{next(_numbers)}"


_numbers = count(1)


def processes_within(top: Path) -> list[psutil.Process]:
    """Every process whose program, working directory or command line is inside `top`."""
    return [process for process in psutil.process_iter() if _is_within(process, top)]


def kill_within(top: Path) -> None:
    """Kill all of these processes: a run that was told to end has only seconds left."""
    while found := processes_within(top):
        for process in found:
            with suppress(psutil.Error):
                process.kill()


def _is_within(process: psutil.Process, top: Path) -> bool:
    try:
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        words = [process.exe(), process.cwd(), *process.cmdline()]
    except psutil.Error:
        return False
    return any(word.startswith(f"{top}/") for word in words)


def told_of_file(act: Act) -> str:
    """What the Emperor and the Act's own record say of its vassal file, for a failure."""
    paths, stats = act.paths, Emperor(act.paths.venue).stats()
    file, record = paths.vassal.stat(), paths.loaded
    return "; ".join(
        (
            str(stats.vassals.get(paths.vassal.name) if stats else None),
            f"modified {file.st_mtime}, changed {file.st_ctime}",
            f"recorded {record.read_text()!r}" if record.exists() else "nothing recorded",
            f"kept the same: {vassal_files.kept(paths) == vassal_files.current(paths)}",
        )
    )


def fetch(act: Act, path: str = "") -> tuple[int, str]:
    """The status and text of an Act's answer, errors included."""
    try:
        with urllib.request.urlopen(act.url + path, timeout=PATIENCE) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()
