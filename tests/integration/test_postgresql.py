"""A site on a real PostgreSQL: broken releases, one after the other, cost no visitor an answer."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from backstage.act import Act
from backstage.errors import CheckFailed
from backstage.facts.states import State
from backstage.shortcuts import new_act, new_venue
from backstage.system.deadlines import Deadline, until
from backstage.venue import Venue
from tests.own_ports import own_ports
from tests.patience import PATIENCE

from .conftest import fetch
from .releases import add_later_app, changed
from .visiting import visited

PROGRAMS = next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)), Path())
# Its server refuses to run as root.
USER = "postgres" if os.geteuid() == 0 else None
GONE = "the database does not answer: django.db.utils.OperationalError: connection failed: "

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (PROGRAMS / "initdb").exists(), reason="there is no PostgreSQL here"),
]


class Server:
    """A PostgreSQL of its own on a TCP port, which can be away for a while."""

    def __init__(self, data: Path) -> None:
        self.port = own_ports().take()
        self._data = data
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"postgres://show@127.0.0.1:{self.port}/postgres"

    def make(self) -> None:
        words = ("--username=show", "--auth=trust", "--no-sync", "--pgdata", self._data)
        subprocess.run(
            [PROGRAMS / "initdb", *words], check=True, capture_output=True, cwd="/", user=USER
        )

    def start(self) -> None:
        words = ("-D", self._data, "-p", str(self.port), "-h", "127.0.0.1", "-k", "")
        with self._data.with_name("log").open("ab") as log:
            self._process = subprocess.Popen(
                [PROGRAMS / "postgres", *words, "-F"], stdout=log, stderr=log, cwd="/", user=USER
            )
        assert until(self._answers, Deadline(PATIENCE)), self._data.with_name("log").read_text()

    def stop(self) -> None:
        """At once, with whoever is connected."""
        if self._process:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(PATIENCE)
            self._process = None

    def _answers(self) -> bool:
        words = ("-h", "127.0.0.1", "-p", str(self.port), "-q")
        return subprocess.run([PROGRAMS / "pg_isready", *words], check=False).returncode == 0


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    # Others than root need a way to it, too.
    top = Path(tempfile.mkdtemp(prefix="bs-postgres-"))
    if USER:
        shutil.chown(top, USER)
    server = Server(top / "data")
    try:
        server.make()
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(top)


@pytest.fixture(scope="module")
def venue(stage: Path) -> Iterator[Venue]:
    venue = new_venue("elephants", stage)
    pip = (venue.paths.python, "-m", "pip", "install", "--quiet", "psycopg[binary]")
    subprocess.run(pip, check=True)
    yield venue
    venue.stop()


@pytest.fixture
def act(venue: Venue, server: Server) -> Act:
    act = new_act(venue, "blog")
    act.env.set(DATABASE_URL=server.url)
    act.manage("migrate", "--verbosity", "0")
    act.restart()
    return act


def reason(act: Act, **files: str) -> str:
    """Why a restart with these additions is refused."""
    with changed(act, **files), pytest.raises(CheckFailed) as refused:
        act.restart()
    return refused.value.reason


def test_a_chain_of_broken_releases(act: Act, server: Server) -> None:
    add_later_app(act)
    with visited(lambda: fetch(act)[0]) as counts:
        workers = {worker.pid for worker in psutil.Process(act.pid).children()}
        assert "No module named 'stripe'" in reason(act, settings="import stripe\n")
        assert "urls cannot be imported: NameError" in reason(act, urls="nothing\n")
        assert reason(act, settings='INSTALLED_APPS.append("later")\n') == (
            "/readyz answers 503: unapplied migrations: 1, first later.0001_initial "
            "(run manage.py migrate)"
        )
        gone = 'DATABASES["default"]["PORT"] = 1\n'
        assert reason(act, settings=gone).startswith(f"/readyz answers 503: {GONE}")
        assert act.state is State.RUNNING

        server.stop()
        assert until(lambda: act.state is State.UNHEALTHY, Deadline(PATIENCE))
        why = f"/readyz says 503: {GONE}"
        assert until(lambda: act.snapshot().reason.startswith(why), Deadline(PATIENCE)), (
            act.snapshot().reason
        )
        assert "No module named 'stripe'" in reason(act, settings="import stripe\n")
        assert {worker.pid for worker in psutil.Process(act.pid).children()} == workers
        server.start()
        assert until(lambda: act.state is State.RUNNING, Deadline(PATIENCE))

        with changed(act, settings='INSTALLED_APPS.append("later")\n'):
            act.manage("migrate", "--verbosity", "0")
            act.restart()
        assert act.state is State.RUNNING
    assert counts["failed"] == 0
    assert counts["answered"] > 0
