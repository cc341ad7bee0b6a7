"""New code is tried before a running Act loads it: what fails never takes a working site down."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from backstage.act import Act
from backstage.errors import ActFailed, CheckFailed
from backstage.facts.states import State
from backstage.facts.trials import Trial
from backstage.shortcuts import new_act, new_venue
from backstage.status import trial
from backstage.system import processes
from backstage.system.deadlines import Deadline, until

from .calling import call
from .conftest import fetch, processes_within
from .releases import add_later_app, changed

pytestmark = pytest.mark.slow

MANIFEST = """
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"
    },
}
"""
# Prints where and as whom it runs; beside it, what differs between uWSGI and another Python.
TELLING = """
import json, os, sys
with open({path!r} + os.environ.get("BACKSTAGE_CHECK", "0"), "w") as told:
    json.dump({{
        "environ": {{
            key: value for key, value in os.environ.items()
            if not key.startswith(("UWSGI_", "BACKSTAGE_CHECK"))
        }},
        "who": [os.getresuid(), os.getresgid(), sorted(os.getgroups())],
        "where": [os.getcwd(), sys.prefix],
        "path": [os.path.realpath(each) for each in sys.path],
    }}, told)
"""
ESCAPING = """
import os, subprocess, threading, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        time.sleep(1000)
    os._exit(0)
subprocess.Popen(["sleep", "1001"], start_new_session=True)
threading.Thread(target=time.sleep, args=(1002,)).start()
"""
PAGE = """
from django.http import HttpResponse
urlpatterns.append(path("new", lambda request: HttpResponse("new")))
"""
NEEDING = """
try:
    import uwsgi
except ImportError as error:
    raise RuntimeError("not here") from error
"""


class Visitors:
    """Clients that ask for a page as long as the tests go on; every answer counts."""

    def __init__(self, act: Act) -> None:
        self.answers: list[int | str] = []
        self._over = threading.Event()
        self._act = act
        self._threads = [threading.Thread(target=self._ask) for _ in range(2)]
        for thread in self._threads:
            thread.start()

    def _ask(self) -> None:
        while not self._over.is_set():
            try:
                self.answers.append(fetch(self._act)[0])
            except OSError as error:
                self.answers.append(str(error))
            self._over.wait(0.05)

    def leave(self) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()


@pytest.fixture(scope="module")
def act(stage: Path) -> Act:
    venue = new_venue("checked", stage)
    with venue.paths.settings.open("a") as settings:
        settings.write("acts:\n  shop: {health: /readyz}\n")
    return new_act(venue, "shop")


@pytest.fixture(scope="module")
def visitors(act: Act) -> Iterator[Visitors]:
    visitors = Visitors(act)
    yield visitors
    visitors.leave()


def refusal(act: Act, **files: str) -> CheckFailed:
    """How a restart with these additions is refused, nothing of the Act having changed."""
    pids, log = pids_of(act), act.paths.log.read_text()
    dated = act.paths.vassal.stat().st_mtime_ns
    with changed(act, **files), pytest.raises(CheckFailed) as caught:
        act.restart()
    assert pids_of(act) == pids
    assert act.state is State.RUNNING
    assert act.paths.vassal.stat().st_mtime_ns == dated
    assert " 500 " not in act.paths.log.read_text().removeprefix(log)
    return caught.value


def pids_of(act: Act) -> set[int]:
    return {process.pid for process in processes.family(act.pid or 0)}


def test_releases_that_cannot_load(act: Act, visitors: Visitors) -> None:
    project = act.paths.top / act.name
    settings = (project / "settings.py").read_text().count("\n") + 1
    wsgi = (project / "wsgi.py").read_text().count("\n") + 1
    missing = refusal(act, settings="import stripe\n")
    where = f"({project}/settings.py, line {settings})"
    assert missing.reason == f"ModuleNotFoundError: No module named 'stripe' {where}"
    assert (missing.name, missing.path, missing.status) == (act.name, "", None)
    assert str(missing).startswith(
        f"Act {act.name!r} is not restarted and runs on as before, because its new code fails: "
        "ModuleNotFoundError"
    )
    broken = refusal(act, wsgi="def (\n")
    assert broken.reason == f"SyntaxError: invalid syntax ({project}/wsgi.py, line {wsgi})"
    driver = refusal(act, settings='DATABASES["default"]["ENGINE"] = "no.such.driver"\n')
    assert "'no.such.driver' isn't an available database backend" in driver.reason


def test_releases_that_cannot_answer(act: Act, visitors: Visitors) -> None:
    project = act.paths.top / act.name
    urls = (project / "urls.py").read_text().count("\n") + 1
    where = f"({project}/urls.py, line {urls})"
    broken = refusal(act, urls="import nowhere\n")
    assert broken.reason == (
        f"/readyz answers 503: {act.name}.urls cannot be imported: "
        f"ModuleNotFoundError: No module named 'nowhere' {where}"
    )
    failed = refusal(act, urls="urlpatterns[0] = path('', lambda request: 1 / 0)\n")
    assert failed.reason == f"/ answers 500: ZeroDivisionError: division by zero {where}"
    assert (failed.path, failed.status) == ("/", 500)
    static = refusal(act, settings=MANIFEST)
    assert static.reason.startswith("/ answers 500: ValueError: Missing staticfiles manifest entry")


def test_releases_whose_database_is_not_ready(act: Act, visitors: Visitors) -> None:
    gone = refusal(act, settings='DATABASES["default"]["NAME"] = "/nowhere/db.sqlite3"\n')
    assert gone.reason == (
        "/readyz answers 503: the database does not answer: "
        "django.db.utils.OperationalError: unable to open database file"
    )
    assert (gone.path, gone.status) == ("/readyz", 503)
    assert "unable to open database file" in gone.log_tail
    add_later_app(act)
    behind = refusal(act, settings='INSTALLED_APPS.append("later")\n')
    assert behind.reason == (
        "/readyz answers 503: unapplied migrations: 1, first later.0001_initial "
        "(run manage.py migrate)"
    )


def test_nobody_noticed_and_a_good_release_goes_live(act: Act, visitors: Visitors) -> None:
    """After all of these failures; the visitors have come to a page the whole time."""
    workers = pids_of(act) - {act.pid}
    with changed(
        act,
        urls=PAGE,
    ):
        act.restart()
        assert fetch(act, "new") == (200, "new")
    assert not workers & pids_of(act)
    asked = len(visitors.answers)
    assert until(lambda: len(visitors.answers) > asked + 2, Deadline(30.0))
    visitors.leave()
    assert set(visitors.answers) == {200}


def test_it_is_tried_as_the_act_would_run_it(act: Act, tmp_path: Path) -> None:
    """User, groups, directory, search path and the whole environment are the same."""
    text, path = act.vassal_text, tmp_path / "told"
    act.rewrite(f"{text}env = COLOUR=a = b\npythonpath = lib\n", based_on=text)
    with changed(act, settings=TELLING.format(path=str(path))):
        act.restart()
    tried, live = (json.loads(Path(f"{path}{end}").read_text()) for end in "10")
    assert tried["environ"]["COLOUR"] == "a = b"
    for key in ("environ", "who", "where"):
        assert tried[key] == live[key]
    assert tried["path"][:2] == live["path"][:2]
    assert set(live["path"]) <= set(tried["path"])


def test_it_leaves_no_trace_in_the_acts_log(act: Act) -> None:
    before = told_of(act)
    assert trial.try_out(act.paths, act._waiter.look(), 30.0) is Trial.PASSED
    assert told_of(act) == before


def told_of(act: Act) -> list[str]:
    """The lines of its log without those of its health checks, which the watcher asks meanwhile."""
    return [line for line in act.paths.log.read_text().splitlines() if "/readyz" not in line]


def test_nothing_is_left_of_it_whatever_it_started(act: Act) -> None:
    with changed(act, settings=ESCAPING):
        assert trial.try_out(act.paths, act._waiter.look(), 30.0) is Trial.PASSED
    assert {process.pid for process in processes_within(act.paths.venue.acts)} <= pids_of(act)


def test_it_ends_although_it_hangs(act: Act, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "PATIENCE", 2.0)
    with (
        changed(act, settings=f"{ESCAPING}\ntime.sleep(1000)\n"),
        pytest.raises(CheckFailed) as late,
    ):
        act.restart(wait=1.0)
    assert late.value.reason == "it does not load within 2 s"
    with (
        changed(act, urls="import time\nurlpatterns[0] = path('', lambda r: time.sleep(1000))\n"),
        pytest.raises(CheckFailed) as late,
    ):
        act.restart(wait=1.0)
    assert (late.value.reason, late.value.path) in {
        ("/ is not answered within 2 s", "/"),
        ("/readyz is not answered within 2 s", "/readyz"),
        ("it does not load within 2 s", ""),
    }
    assert {process.pid for process in processes_within(act.paths.venue.acts)} <= pids_of(act)


def test_it_may_use_no_more_memory_than_the_act(act: Act) -> None:
    settings = act.paths.venue.settings
    before = settings.read_text()
    settings.write_text(before.replace("health: /readyz", "limits: {memory: 200M}"))
    try:
        hungry = refusal(act, settings="HELD = bytearray(1_000_000_000)\n")
        assert trial.try_out(act.paths, act._waiter.look(), 30.0) is Trial.PASSED
    finally:
        settings.write_text(before)
    assert hungry.reason.startswith("MemoryError (") or "killed by signal 9" in hungry.reason


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("import sys; sys.exit(3)", "SystemExit: 3 ("),
        (
            "import os; os._exit(3)",
            "it does not load: its process ended by itself with exit code 3",
        ),
        (
            "import os; os.kill(os.getpid(), 11)",
            "it does not load: its process was killed by signal 11",
        ),
        (
            # Longer than the one before: Python knows old bytecode by its second and size alone.
            "import os; parent = os.getppid(); os.kill(parent, 9)",
            "it does not load: its process was killed by signal 9",
        ),
    ],
)
def test_it_tells_how_it_ended(act: Act, code: str, reason: str) -> None:
    assert refusal(act, settings=f"{code}\n").reason.startswith(reason)


def test_what_it_prints_is_hostile(act: Act) -> None:
    """It is bounded, steers no terminal, and is not taken for its report."""
    loud = (
        "for n in range(50_000): print(n, '\\033[2J\\x9b{\"done\": true}\\r', flush=n % 999 == 0)\n"
    )
    failed = refusal(act, settings=f"{loud}raise ValueError('\\033[31mred\\n{{}}')\n")
    assert failed.reason.startswith("ValueError: ")
    assert len(failed.log_tail) < 50_000
    assert all(sign.isprintable() or sign == "\n" for sign in str(failed))


def test_what_is_not_understood_is_not_refused(act: Act) -> None:
    with changed(
        act,
        settings=NEEDING,
    ):
        assert trial.try_out(act.paths, act._waiter.look(), 30.0) is Trial.NEEDS_UWSGI
    with changed(act, wsgi="async def application(*_): ...\n"):
        assert trial.try_out(act.paths, act._waiter.look(), 30.0) is Trial.NOT_WSGI
    look, text = act._waiter.look(), act.vassal_text
    assert trial.try_out(act.paths, look, 30.0, f"{text}mount = /a=b.py\n") is Trial.NOT_PLAIN
    daemon = "[uwsgi]\nattach-daemon = /bin/true\nset-placeholder = port=8001\n"
    assert trial.try_out(act.paths, look, 30.0, daemon) is Trial.NOT_WSGI


def test_a_page_is_asked_for_as_the_project_wants_it(act: Act) -> None:
    """By https where it insists on that, and for a host that it allows."""
    tls = "SECURE_SSL_REDIRECT = True\nSECURE_PROXY_SSL_HEADER = ('HTTP_X_TLS', 'yes')\n"
    hosts = "ALLOWED_HOSTS = ['.example.com']\n"
    broken = "urlpatterns[0] = path('', lambda request: 1 / 0)\n"
    for settings in (tls, hosts, tls + hosts):
        assert refusal(act, settings=settings, urls=broken).status == 500
        with changed(act, settings=settings):
            assert trial.try_out(act.paths, act._waiter.look(), 30.0) is Trial.PASSED


def test_an_edit_is_tried_before_it_is_written(act: Act) -> None:
    text, pids = act.vassal_text, pids_of(act)
    with pytest.raises(CheckFailed) as caught:
        act.rewrite(f"{text}env = DJANGO_SETTINGS_MODULE=nowhere\n", based_on=text)
    assert "No module named 'nowhere'" in caught.value.reason
    assert (act.vassal_text, pids_of(act)) == (text, pids)
    assert trial.try_out(act.paths, act._waiter.look(), 30.0) is Trial.PASSED


def test_the_command_says_why_and_has_an_exit_code_for_it(act: Act) -> None:
    house = act.paths.venue.top
    with changed(act, settings="import stripe\n"):
        told = call("restart", act.name, cwd=house)
        assert told.returncode == 9
        assert "● shop" in told.stdout
        assert "running" in told.stdout
        assert "No module named 'stripe'" in told.stdout
        document = json.loads(call("restart", "--all", "--json", cwd=house).stdout)["result"]
        assert document["state"] == "running"
        assert document["reason"].startswith("ModuleNotFoundError")


def test_who_insists_gets_what_he_wants(act: Act) -> None:
    """And an Act that fails already is started without a trial."""
    house = act.paths.venue.top
    with changed(act, settings="import stripe\n"):
        assert call("restart", act.name, "--no-check", cwd=house).returncode == 1
        assert act.state is not State.RUNNING
        with pytest.raises(ActFailed) as caught:
            act.restart(wait=20.0)
        assert not isinstance(caught.value, CheckFailed)
        assert trial.try_out(act.paths, act._waiter.look(), 30.0) is Trial.NOT_RUNNING
    act.restart()
    assert act.state is State.RUNNING
