"""A project of somebody's own: adopted, released beside the live one, and taken back."""

from __future__ import annotations

import json
import shutil
import stat
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from backstage.act import Act
from backstage.errors import NotInTime
from backstage.facts.states import State
from backstage.layout import releases
from backstage.operations import deploy
from backstage.venue import Venue

from .calling import call
from .conftest import fetch

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not shutil.which("git"), reason="git is not installed"),
]

URLS = """\
from django.contrib import admin
from django.contrib.auth.models import User
from django.http import HttpResponse
from django.urls import path
import os
def version(request):
    return HttpResponse("{version} %s %s" % (os.environ.get("NAME", ""), User.objects.count()))
urlpatterns = [path("admin/", admin.site.urls), path("version", version)]
"""
SETTINGS = """
DEBUG = False
from .own import ALLOWED_HOSTS
STATIC_ROOT = BASE_DIR / "collected"
MEDIA_ROOT = BASE_DIR / "media"
SECRET_KEY = __import__("os").environ["SECRET_KEY"]
"""


class Repository:
    """The project of a user, in git; in a directory with a space, and the code in src/."""

    def __init__(self, top: Path) -> None:
        self.top = top
        (top / "src").mkdir(parents=True)
        start = [sys.executable, "-m", "django", "startproject", "wiki", str(top / "src")]
        subprocess.run(start, check=True)
        settings = top / "src" / "wiki" / "settings.py"
        settings.write_text(settings.read_text() + SETTINGS)
        self.git("init", "-q")
        self.commit("v1")

    def git(self, *words: str) -> None:
        who = ["-c", "user.name=Ann", "-c", "user.email=ann@example.org"]
        subprocess.run(["git", "-C", self.top, *who, *words], check=True, capture_output=True)

    def commit(self, version: str, *, broken: bool = False) -> None:
        """A version that says what it is, and its tag."""
        text = URLS.format(version=version) + ("import nonsense\n" if broken else "")
        (self.top / "src" / "wiki" / "urls.py").write_text(text)
        self.git("add", "-A")
        self.git("commit", "-q", "-m", version)
        self.git("tag", version)


@pytest.fixture(scope="module")
def repository(stage: Path) -> Repository:
    return Repository(stage / "of a user" / "wiki")


@pytest.fixture(scope="module")
def act(venue: Venue, repository: Repository, stage: Path) -> Act:
    own = stage / "of a user" / "own settings.py"
    own.write_text("ALLOWED_HOSTS = ['localhost']\n")
    done = call(
        *("new-act", "shop", "--source", repository.top, "--ref", "v1"),
        *("--set", "SECRET_KEY=abc", "--set", "NAME=first"),
        *("--file", f"{own}=src/wiki/own.py"),
        cwd=venue.path,
    )
    assert done.returncode == 0, done.stderr
    return venue["shop"]


@pytest.fixture
def visitors(act: Act) -> Iterator[list[str]]:
    """Somebody who asks all the time; what went wrong is in the list."""
    wrong, is_over = [], threading.Event()

    def visit() -> None:
        while not is_over.is_set():
            try:
                with urllib.request.urlopen(f"{act.url}version", timeout=60) as answer:
                    answer.read()
            except OSError as error:
                wrong.append(repr(error))

    threads = [threading.Thread(target=visit) for _ in range(3)]
    for thread in threads:
        thread.start()
    yield wrong
    is_over.set()
    for thread in threads:
        thread.join()


def version(act: Act) -> str:
    status, text = fetch(act, "version")
    assert status == 200
    return text


def test_a_project_runs_as_it_is(act: Act, repository: Repository) -> None:
    """Migrated, with its static files and variables; what was found is written down."""
    assert act.state is State.RUNNING
    assert version(act) == "v1 first 0"
    assert fetch(act, "static/admin/css/base.css")[0] == 200
    assert fetch(act, "admin/login/")[0] == 200
    known = act.paths.project_file.read_text()
    for line in ("manage: src/manage.py", "settings: wiki.settings", "ref: v1"):
        assert line in known
    assert (act.paths.data / "src" / "db.sqlite3").is_file()
    own = act.paths.files / "src" / "wiki" / "own.py"
    assert stat.S_IMODE(own.stat().st_mode) == 0o600
    assert "no issues" in act.manage("check")
    status = subprocess.check_output(
        ["git", "-C", repository.top, "status", "--porcelain"], text=True
    )
    assert status == ""


def test_a_release_takes_over_without_a_failed_request(
    act: Act, repository: Repository, visitors: list[str]
) -> None:
    """And data stays, whatever the code is."""
    act.manage(
        "shell", "-c", "from django.contrib.auth.models import User; User(username='a').save()"
    )
    repository.commit("v2")
    pid = act.pid
    done = call("--json", "deploy", "shop", "--ref", "v2", cwd=act.paths.venue.top)
    result = json.loads(done.stdout)["result"]
    assert (done.returncode, result["ref"], result["state"]) == (0, "v2", "running")
    assert list(result["seconds"]) == [
        *("fetch", "build", "check", "static files", "migrations", "switch")
    ]
    assert version(act) == "v2 first 1"
    assert "ref: v2\n" in act.paths.project_file.read_text()
    assert act.pid == pid
    done = call("rollback", "shop", cwd=act.paths.venue.top)
    assert done.returncode == 0, done.stderr
    assert version(act) == "v1 first 1"
    assert visitors == []


def test_a_release_that_does_not_work_never_goes_live(
    act: Act, repository: Repository, visitors: list[str]
) -> None:
    live = deploy.live_name(act)
    repository.commit("v3", broken=True)
    done = call("deploy", "shop", "--ref", "v3", cwd=act.paths.venue.top)
    assert done.returncode
    assert "No module named 'nonsense'" in done.stderr
    assert deploy.live_name(act) == live
    assert version(act).startswith("v1")
    assert visitors == []
    last = releases.known(act.paths)[-1]
    assert (last.outcome, last.code.exists()) == (releases.Outcome.FAILED, False)
    assert "nonsense" in last.reason
    assert "nonsense" in call("releases", "shop", cwd=act.paths.venue.top).stdout


def test_going_back_brings_the_env_back(act: Act, repository: Repository) -> None:
    """As it was when that release was live last."""
    repository.commit("v4")
    assert call("deploy", "shop", "--ref", "v4", cwd=act.paths.venue.top).returncode == 0
    act.env.set(NAME="second")
    act.restart()
    assert version(act) == "v4 second 1"
    deploy.rollback(act)
    assert version(act) == "v1 first 1"
    with pytest.raises(BaseException, match="has no release before the live one"):
        deploy.rollback(act)


def test_one_that_does_not_run_in_time_is_taken_back(
    act: Act, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was written into the vassal file is undone before anything of it is removed."""
    live, before = deploy.live_name(act), version(act)
    repository.commit("v4b")

    def late(*_: object) -> None:
        raise NotInTime("shop", "is not running yet")

    with monkeypatch.context() as patch:
        patch.setattr(Act, "_await_new", late)
        with pytest.raises(NotInTime):
            deploy.deploy(act, ref="v4b")
    assert deploy.live_name(act) == live
    act.restart()
    assert version(act) == before


# Ends by `kill -9` when the step of this number begins.
KILLED = """
import os, sys
from backstage.operations.deploy import deploy
from backstage.shortcuts import use_venue
steps = []
def tell(step):
    steps.append(step)
    if len(steps) > int(sys.argv[2]):
        os.kill(os.getpid(), 9)
deploy(use_venue(sys.argv[1])["shop"], ref="v5", tell=tell)
"""


def test_one_that_is_killed_leaves_the_live_one_and_the_next_goes_on(
    act: Act, repository: Repository, visitors: list[str]
) -> None:
    repository.commit("v5")
    live = deploy.live_name(act)
    for step in range(6):
        words = [sys.executable, "-c", KILLED, act.paths.venue.top, str(step)]
        assert subprocess.run(words, check=False).returncode == -9
        assert deploy.live_name(act) == live
        assert version(act).startswith("v1")
    assert releases.known(act.paths)[-1].outcome is releases.Outcome.BUILDING
    deploy.deploy(act, ref="v5")
    assert version(act).startswith("v5")
    outcomes = {each.outcome for each in releases.known(act.paths)}
    assert releases.Outcome.BUILDING not in outcomes
    assert visitors == []


def test_a_second_one_at_once_is_refused(act: Act) -> None:
    with deploy._alone(act):
        done = call("deploy", "shop", cwd=act.paths.venue.top)
    assert done.returncode == 8
    assert "deploys shop; wait until it is done" in done.stderr


MIGRATION = """
from django.db import migrations
def fail(apps, schema_editor):
    apps.get_model("auth", "User").objects.all().delete()
    raise RuntimeError("half way")
class Migration(migrations.Migration):
    atomic = False
    dependencies = [("auth", "0012_alter_user_first_name_max_length")]
    operations = [migrations.RunPython(fail, migrations.RunPython.noop)]
"""


def test_a_migration_that_fails_half_way_is_undone(act: Act, repository: Repository) -> None:
    live, before = deploy.live_name(act), version(act)
    package = repository.top / "src" / "broken"
    (package / "migrations").mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "migrations" / "__init__.py").touch()
    (package / "migrations" / "0001_initial.py").write_text(MIGRATION)
    settings = repository.top / "src" / "wiki" / "settings.py"
    settings.write_text(f"{settings.read_text()}INSTALLED_APPS += ['broken']\n")
    repository.commit("v6")
    done = call("deploy", "shop", "--ref", "v6", cwd=act.paths.venue.top)
    assert done.returncode == 1
    assert "`manage.py migrate` failed: RuntimeError: half way" in done.stderr
    assert (deploy.live_name(act), version(act)) == (live, before)
    assert before.endswith(" 1"), "there was a user, who is still there"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["deploy", "shop", "--ref", "v9"], "v9"),
        (["rollback", "shop", "v1"], "has no release v1; there is: 2"),
        (["new-act", "other", "--source", "/nowhere/at/all"], "there is no /nowhere/at/all"),
        (["new-act", "other", "--source", ".", "--set", "X"], "X is no pair with a = in it"),
        (
            ["new-act", "shop", "--source", "."],
            "exists; to deploy it again, type: backstage deploy shop",
        ),
    ],
)
def test_what_cannot_be_is_told(act: Act, words: list[str], told: str) -> None:
    done = call(*words, cwd=act.paths.venue.top)
    assert done.returncode
    assert told in done.stderr
    assert "Traceback" not in done.stderr
    assert version(act)
