"""What a project's own Python tells, whatever its settings do meanwhile."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from backstage.layout.paths import VenuePaths
from backstage.projects import facts
from backstage.projects.ask import Silence
from backstage.projects.facts import Database, ProjectFacts, Trouble
from backstage.projects.project import Project

from .trees import plant

SETTINGS = """
SECRET_KEY = "x" * 60
INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes", "shop"]
ROOT_URLCONF = "shop.urls"
WSGI_APPLICATION = "shop.wsgi.application"
STATIC_URL, STATIC_ROOT = "/assets/", "/srv/static"
STATICFILES_DIRS = ["/srv/a", ("b", "/srv/b")]
MEDIA_URL, MEDIA_ROOT = "/media/", "/srv/media"
LOGIN_URL = "enter"
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
MIDDLEWARE = ["whitenoise.middleware.WhiteNoiseMiddleware"]
DATABASES = {
    "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "db.sqlite3"},
    "logs": {"ENGINE": "django.db.backends.sqlite3", "NAME": "file:../l%C3%B6gs?mode=rwc"},
    "memory": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"},
}
DATABASE_ROUTERS = ["shop.routers.Router"]
"""
URLS = """
from django.urls import path, re_path
from django.http import HttpResponse
def page(request, **kwargs): return HttpResponse()
urlpatterns = [
    path("up", page), re_path(r"^healthz/$", page), path("enter/", page, name="enter"),
    path("status/<int:number>", page), re_path(r"^(?P<any>.*)$", page),
]
"""
ROUTERS = """
class Router:
    def allow_migrate(self, db, app_label, **hints):
        return None if db != "logs" else app_label == "contenttypes"
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    files = {"settings.py": SETTINGS, "urls.py": URLS, "routers.py": ROUTERS, "__init__.py": ""}
    plant(tmp_path / "code" / "shop", files)
    environment = {"DJANGO_SETTINGS_MODULE": "shop.settings"}
    act = VenuePaths(tmp_path).act("blog")
    return Project(act, tmp_path / "code", Path(sys.executable), environment)


def add(project: Project, code: str) -> int:
    """Add a line to the settings; returns its number."""
    with (project.directory / "shop/settings.py").open("a") as settings:
        settings.write(f"{code}\n")
    return SETTINGS.count("\n") + 1


def told(project: Project, *health: str) -> ProjectFacts:
    found = facts.facts_of(project, health)
    assert isinstance(found, ProjectFacts), found
    return found


def trouble(project: Project) -> Trouble:
    found = told(project).trouble
    assert found
    return found


def test_it_tells_what_the_settings_are(project: Project) -> None:
    found = told(project, "/status", "up/")
    assert (found.trouble, found.errors) == (None, {})
    assert (found.wsgi, found.asgi, found.urls) == ("shop.wsgi:application", "", "shop.urls")
    assert (found.static_url, found.static_root) == ("/assets/", "/srv/static")
    assert found.static_dirs == ("/srv/a", "/srv/b")
    assert found.static_storage == "django.contrib.staticfiles.storage.StaticFilesStorage"
    assert (found.media_url, found.media_root) == ("/media/", "/srv/media")
    assert (found.whitenoise, found.compressor, found.debug) == (True, "", False)
    assert found.health == ("/up", "/healthz/"), "not what only a pattern for anything matches"
    assert found.login == "/enter/"
    assert "shop" in found.apps
    assert found.python == ".".join(map(str, sys.version_info[:3]))


def test_a_page_to_log_in_is_none_that_a_pattern_for_anything_matches(project: Project) -> None:
    add(project, "LOGIN_URL = '/accounts/login/'")
    assert told(project).login == ""
    named = 'urlpatterns.insert(0, path("in", page, name="account_login"))\n'
    plant(project.directory, {"shop/urls.py": URLS + named})
    assert told(project).login == "/in"


def test_it_tells_of_every_database_what_is_missing_there(project: Project) -> None:
    """A router decides what belongs there, and no file is made."""
    before = sorted(project.directory.rglob("*"))
    engine = "django.db.backends.sqlite3"
    default, logs, memory = told(project).databases
    assert default.pending == memory.pending
    assert default.pending
    assert default.pending > 5
    assert default.file == str(project.directory / "db.sqlite3")
    assert logs == Database(
        alias="logs",
        engine=engine,
        name="file:../l%C3%B6gs?mode=rwc",
        file=str(project.directory.parent / "lögs"),
        pending=2,
        first="contenttypes.0001_initial",
    )
    assert memory.file == ""
    assert sorted(project.directory.rglob("*")) == before


def test_a_database_that_was_migrated_lacks_nothing(project: Project) -> None:
    """Also one that is served meanwhile."""
    code = "from django.core.management import execute_from_command_line as run\n"
    migrate = ["python", "migrate", "--verbosity=0"]
    env = {**os.environ, **project.environment}
    command = [sys.executable, "-B", "-c", f"{code}run({migrate!r})"]
    subprocess.run(command, cwd=project.directory, env=env, check=True)
    default = told(project).databases[0]
    assert (default.pending, default.first, default.is_migrated) == (0, "", True)


def test_a_database_that_cannot_be_asked_leaves_the_others(project: Project) -> None:
    (project.directory / "db.sqlite3").write_text("no database, whatever its name says" * 100)
    found = told(project)
    assert found.errors == {"database default": "DatabaseError: file is not a database"}
    assert [each.pending for each in found.databases][:2] == [None, 2]


@pytest.mark.parametrize(
    ("code", "kind", "message", "variable"),
    [
        ("import os; os.environ['SHOP_KEY']", "KeyError", "'SHOP_KEY'", "SHOP_KEY"),
        (
            "import environ; environ.Env()('SHOP_URL')",
            "ImproperlyConfigured",
            "Set the SHOP_URL environment variable",
            "SHOP_URL",
        ),
        ("import os; os.getenv('OTHER'); 1 / 0", "ZeroDivisionError", "division by zero", ""),
        ("raise SystemExit(3)", "SystemExit", "3", ""),
        ("raise KeyboardInterrupt", "KeyboardInterrupt", "", ""),
        ("import gone", "ModuleNotFoundError", "No module named 'gone'", ""),
    ],
)
def test_settings_that_raise_are_told_with_their_line(
    project: Project, code: str, kind: str, message: str, variable: str
) -> None:
    line = add(project, code)
    found = trouble(project)
    assert (found.stage, found.type, found.message) == ("settings", kind, message)
    assert found.variable == variable
    assert (found.file, found.line) == (str(project.directory / "shop/settings.py"), line)


def test_an_empty_secret_key_is_told_with_the_variable_that_it_comes_from(project: Project) -> None:
    add(project, "import os; SECRET_KEY = os.getenv('SHOP_SECRET_KEY', '')")
    found = told(project)
    assert found.trouble
    assert (found.trouble.stage, found.trouble.variable) == ("secret_key", "SHOP_SECRET_KEY")
    assert found.static_root == "/srv/static"


def test_a_fault_of_syntax_is_told_where_it_is(project: Project) -> None:
    line = add(project, "X = (")
    found = trouble(project)
    assert (found.type, found.line) == ("SyntaxError", line)
    assert found.file == str(project.directory / "shop/settings.py")


def test_applications_that_do_not_load_leave_what_the_settings_say(project: Project) -> None:
    plant(project.directory, {"shop/models.py": "import os\n\nos.environ['SHOP_MODELS']\n"})
    found = told(project)
    assert found.trouble
    assert (found.trouble.stage, found.trouble.variable) == ("apps", "SHOP_MODELS")
    assert found.trouble.file.endswith("shop/models.py")
    assert found.static_root == "/srv/static"


def test_a_part_that_fails_leaves_the_others(project: Project) -> None:
    plant(project.directory, {"shop/urls.py": "raise ValueError('no pages')\n"})
    found = told(project)
    assert found.errors["urls"] == "ValueError: no pages"
    assert found.databases[0].pending


def test_it_tells_which_variables_the_project_looks_up(project: Project) -> None:
    """Not those that libraries look up while they are imported."""
    plant(project.directory, {"site-packages/lib.py": "import os\nos.getenv('LIB_ONLY')\n"})
    add(project, "import os, sys; sys.path.append('site-packages'); import lib")
    add(project, "os.environ.get('SHOP_A'); 'SHOP_B' in os.environ; os.getenv('SHOP_C')")
    given = {**project.environment, "SHOP_C": "1"}
    found = told(Project(project.act, project.directory, project.python, given))
    assert [each for each in found.variables if each.startswith("SHOP")] == [
        "SHOP_A",
        "SHOP_B",
        "SHOP_C",
    ]
    assert [each for each in found.missing if each.startswith("SHOP")] == ["SHOP_A", "SHOP_B"]
    assert "LIB_ONLY" not in found.variables


@pytest.mark.parametrize(
    "code",
    [
        "import sys, os; os.write(1, b'x'); sys.stdout.close(); os.close(2)",
        "import os, sys; sys.stdout = None; os.fork()",
        "print('{', end=''); print('x' * 200_000)\n"
        "import signal; signal.signal(15, signal.SIG_IGN)\n"
        "import atexit, threading, time; atexit.register(time.sleep, 600)\n"
        "threading.Thread(target=time.sleep, args=(600,)).start()",
    ],
)
def test_whatever_settings_do_it_answers(project: Project, code: str) -> None:
    add(project, code)
    assert told(project).static_root == "/srv/static"


def test_nothing_that_settings_started_is_left(project: Project) -> None:
    mark = project.directory / "pids"
    add(project, "import os, subprocess, sys, time")
    add(project, "sleep = [sys.executable, '-c', 'import time; time.sleep(600)']")
    add(project, "one = subprocess.Popen(sleep, start_new_session=True).pid")
    add(project, "two = os.fork() or time.sleep(600)")
    add(project, f"open({str(mark)!r}, 'w').write(f'{{one}} {{two}}')")
    assert told(project).static_root == "/srv/static"
    one, two = map(int, mark.read_text().split())
    assert not psutil.pid_exists(one)
    assert not psutil.pid_exists(two)


@pytest.mark.parametrize(
    ("code", "status"), [("os._exit(3)", 3), ("os.kill(os.getpid(), 11)", -11)]
)
def test_a_python_that_ends_is_told_with_what_it_printed(
    project: Project, code: str, status: int
) -> None:
    add(project, f"import os; os.write(2, b'the reason'); {code}")
    found = facts.facts_of(project)
    assert found == Silence(status, "the reason")


def test_an_application_that_is_not_installed_is_told(project: Project) -> None:
    add(project, "INSTALLED_APPS += ['gone_app']")
    found = trouble(project)
    assert (found.stage, found.message) == ("apps", "No module named 'gone_app'")
    assert found.file.endswith(".py")


def test_a_project_without_django_says_so(project: Project) -> None:
    plant(project.directory, {"django.py": "raise ImportError('none here')\n"})
    found = trouble(project)
    assert (found.stage, found.type, found.message) == ("django", "ImportError", "none here")


def test_secrets_are_not_repeated(project: Project) -> None:
    add(project, "import os; raise ValueError('bad ' + os.environ['SHOP_PASSWORD'])")
    given = {**project.environment, "SHOP_PASSWORD": "kjsdh-87sdfjh-2"}
    found = trouble(Project(project.act, project.directory, project.python, given))
    assert found.message == "bad ***************"


@pytest.mark.parametrize(
    "answer",
    [
        {
            "django": 1,
            "errors": [],
            "databases": [1, {"alias": [], "pending": "x"}],
            "health": {"x": 1},
        },
        {"trouble": "x", "wsgi": None, "apps": [1], "debug": 1},
    ],
)
def test_an_answer_may_hold_anything(
    project: Project, answer: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(facts.ask, "answer_of", lambda *_: answer)
    found = told(project)
    assert (found.django, found.health, found.apps, found.trouble) == ("", (), (), None)
