"""The project template: what `new_act` writes must be safe, quiet and ready as it is."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import django
import pytest
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string
from django.utils.version import get_docs_version

from backstage.layout.shipped_files import project_files, shelf

TEMPLATE = shelf("scaffolds") / "django"
SECRET = "between-acts-nobody-reads-this-key-0123456789-abcdefghij"
NEEDS_TLS = {"security.W004", "security.W008", "security.W012", "security.W016"}


def render(dest: Path, name: str) -> None:
    """Write the template's files to `dest` as the library does."""
    variables = {
        "project_name": name,
        "docs_version": get_docs_version(),
        "django_version": django.get_version(),
    }
    for file in project_files(TEMPLATE, variables):
        target = dest / file.path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(file.content)
        target.chmod(file.mode)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A fresh Act named blog, in a Venue named MyVenue, with nothing but a SECRET_KEY."""
    path = tmp_path / "MyVenue" / "acts" / "blog"
    render(path, "blog")
    write_env(path, SECRET_KEY=SECRET)
    return path


def write_env(project: Path, **values: str) -> None:
    (project / ".env").write_text("".join(f"{name}={value}\n" for name, value in values.items()))


def python(project: Path, *args: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run Python in the project with every warning an error and no variables but these."""
    return subprocess.run(
        [sys.executable, "-W", "error", *args],
        cwd=project,
        env={"PATH": "", **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def load_settings(project: Path) -> dict[str, Any]:
    return runpy.run_path(str(project / "blog" / "settings.py"))


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for line in (TEMPLATE / ".env.example").read_text().splitlines():
        if name := re.match(r"#?([A-Z_]+)=", line):
            monkeypatch.delenv(name[1], raising=False)


# The template's own shape


@pytest.mark.slow
def test_our_rendering_equals_startproject(tmp_path: Path) -> None:
    """The template follows Django's convention, so both ways give the same bytes and modes."""
    ours, djangos = tmp_path / "ours", tmp_path / "djangos"
    render(ours, "blog")
    djangos.mkdir()
    done = python(
        tmp_path, "-m", "django", "startproject", "--template", str(TEMPLATE), "blog", str(djangos)
    )
    assert done.returncode == 0, done.stderr

    def contents(root: Path) -> dict[str, tuple[int, bytes]]:
        return {
            str(path.relative_to(root)): (path.stat().st_mode & 0o111, path.read_bytes())
            for path in root.rglob("*")
            if path.is_file() and "__pycache__" not in path.parts
        }

    assert contents(ours) == contents(djangos)
    assert contents(ours).keys() >= {".env.example", ".gitignore", "manage.py", "blog/wsgi.py"}


def test_generated_code_is_clean(project: Path) -> None:
    if not importlib.util.find_spec("ruff"):
        pytest.skip("ruff is not installed")
    for command in (["check"], ["format", "--check"]):
        ruff = [*command, "--isolated", "--no-cache", "--line-length", "100", "."]
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *ruff],
            cwd=project,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_page_needs_no_inline_code_and_nothing_from_elsewhere() -> None:
    """What a Content Security Policy of 'self' would block is not there."""
    page = (TEMPLATE / "templates" / "welcome.html").read_text()
    assert not re.search(r"<script|<style|\sstyle=|\son\w+=|src=\"http|@import", page)
    assert "http" not in (TEMPLATE / "static" / "welcome.css").read_text()


# Settings


def test_closed_by_default(project: Path) -> None:
    settings = load_settings(project)
    assert settings["DEBUG"] is False
    assert settings["ALLOWED_HOSTS"] == ["localhost", "127.0.0.1", "[::1]"]
    assert settings["SECRET_KEY"] == SECRET
    assert "SECURE_PROXY_SSL_HEADER" not in settings
    assert settings["SESSION_COOKIE_NAME"] == "blog_sessionid"


@pytest.mark.slow
def test_only_tls_is_missing_from_a_deployment(project: Path) -> None:
    done = python(project, "manage.py", "check", "--deploy")
    assert set(re.findall(r"\w+\.[WE]\d+", done.stdout + done.stderr)) == NEEDS_TLS


@pytest.mark.slow
def test_tls_switches_everything_on(project: Path) -> None:
    write_env(project, SECRET_KEY=SECRET, TLS="on", HSTS_SECONDS="3600")
    done = python(project, "manage.py", "check", "--deploy")
    assert done.stdout == "System check identified no issues (0 silenced).\n"
    assert done.stderr == ""

    settings = load_settings(project)
    assert settings["SECURE_PROXY_SSL_HEADER"] == ("HTTP_X_FORWARDED_PROTO", "https")
    assert settings["SECURE_HSTS_SECONDS"] == 3600


@pytest.mark.parametrize("content", [None, "", "DEBUG=on\n", "SECRET_KEY=\n", "SECRET_KEY = x\n"])
def test_no_secret_key_no_start(project: Path, content: str | None) -> None:
    """The error names the file and what to type; and what it says to type works."""
    env_file = project / ".env"
    env_file.unlink()
    if content is not None:
        env_file.write_text(content)

    with pytest.raises(ImproperlyConfigured) as caught:
        load_settings(project)
    explanation, invitation, command = str(caught.value).split("\n")
    assert explanation == f"SECRET_KEY is missing: {env_file} has no value for it"
    assert invitation.endswith("type:"), "apart, as logs and findings show the first line only"

    subprocess.run(["/bin/sh", "-c", command], check=True)
    assert len(load_settings(project)["SECRET_KEY"]) > 80
    if content is None:
        assert env_file.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    "secret",
    [
        "$HOME-is-not-meant",
        "$$two",
        "a#b #c",
        "key=value==",
        'it\'s "so" called',
        r"back\slash\n\\",
        "50% {braces} {{ more }} $(pwd) `pwd`",
        "in the middle   of spaces",
        "ünïcödé",
    ],
)
def test_a_secret_survives_as_it_stands(project: Path, secret: str) -> None:
    write_env(project, SECRET_KEY=secret)
    assert load_settings(project)["SECRET_KEY"] == secret


@pytest.mark.parametrize(
    "secret", ["'single'", '"double"', "'", " spaces ", "\\", "\\\"\\n'$#", "\\n"]
)
def test_any_secret_survives_in_double_quotes(project: Path, secret: str) -> None:
    quoted = secret.replace("\\", "\\\\").replace('"', '\\"')
    write_env(project, SECRET_KEY=f'"{quoted}"')
    assert load_settings(project)["SECRET_KEY"] == secret


def test_former_keys_stay_valid(project: Path) -> None:
    write_env(project, SECRET_KEY=SECRET, SECRET_KEY_FALLBACKS="$one,two")
    assert load_settings(project)["SECRET_KEY_FALLBACKS"] == ["$one", "two"]


def test_the_process_environment_wins_and_stays_as_it_was(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_env(
        project, SECRET_KEY=SECRET, DEBUG="off", LOG_LEVEL="error", ALLOWED_HOSTS="a.org, b.org"
    )
    monkeypatch.setenv("DEBUG", "on")
    before = dict(os.environ)
    settings = load_settings(project)
    assert settings["DEBUG"] is True
    assert settings["ALLOWED_HOSTS"] == ["a.org", "b.org"]
    assert settings["LOGGING"]["root"]["level"] == "ERROR"
    assert dict(os.environ) == before


@pytest.mark.parametrize(
    ("url", "name"),
    [
        (None, "{project}/db.sqlite3"),
        ("sqlite:///data.sqlite3", "{project}/data.sqlite3"),
        ("sqlite:////srv/data.sqlite3", "/srv/data.sqlite3"),
        ("sqlite://:memory:", ":memory:"),
    ],
)
def test_sqlite_is_ready_for_several_processes(project: Path, url: str | None, name: str) -> None:
    if url:
        write_env(project, SECRET_KEY=SECRET, DATABASE_URL=url)
    database = load_settings(project)["DATABASES"]["default"]
    assert database["ENGINE"] == "django.db.backends.sqlite3"
    assert str(database["NAME"]) == name.format(project=project)
    assert database["OPTIONS"]["transaction_mode"] == "IMMEDIATE"
    assert "journal_mode=WAL" in database["OPTIONS"]["init_command"]


def test_other_databases_keep_their_connections(project: Path) -> None:
    url = "postgres://ann:p%40ss@db.example.com:5433/shop?sslmode=require"
    write_env(project, SECRET_KEY=SECRET, DATABASE_URL=url)
    assert load_settings(project)["DATABASES"]["default"] == {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": "shop",
        "USER": "ann",
        "PASSWORD": "p@ss",
        "HOST": "db.example.com",
        "PORT": 5433,
        "OPTIONS": {"sslmode": "require"},
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
    }


@pytest.mark.parametrize(
    ("url", "module", "options"),
    [
        (None, "smtp", {"host": "localhost", "port": 25, "timeout": 10}),
        (
            "smtp+tls://ann:p%40ss@mail.example.com:587",
            "smtp",
            {
                "host": "mail.example.com",
                "port": 587,
                "username": "ann",
                "password": "p@ss",
                "use_tls": True,
                "timeout": 10,
            },
        ),
        (
            "smtp+ssl://mail.example.com:465?timeout=3",
            "smtp",
            {"host": "mail.example.com", "port": 465, "use_ssl": True, "timeout": 3},
        ),
        ("consolemail://", "console", {}),
    ],
)
def test_email_url(project: Path, url: str | None, module: str, options: dict[str, Any]) -> None:
    """One EMAIL_URL, in the form that each version of Django wants."""
    if url:
        write_env(project, SECRET_KEY=SECRET, EMAIL_URL=url)
    settings = load_settings(project)
    backend = f"django.core.mail.backends.{module}.EmailBackend"
    if django.VERSION >= (6, 1):
        assert settings["MAILERS"] == {"default": {"BACKEND": backend, "OPTIONS": options}}
        assert not [name for name in settings if name.startswith("EMAIL_")]
        import_string(backend)(alias="default", **options)
    else:
        names = {"username": "HOST_USER", "password": "HOST_PASSWORD"}
        assert {name: value for name, value in settings.items() if name.startswith("EMAIL_")} == {
            "EMAIL_BACKEND": backend,
            **{f"EMAIL_{names.get(name, name.upper())}": value for name, value in options.items()},
        }


@pytest.mark.slow
@pytest.mark.parametrize("level", ["info", "error"])
def test_log_level_holds_for_django_too(project: Path, level: str) -> None:
    """Each record appears once, on stdout, also while debugging."""
    write_env(project, SECRET_KEY=SECRET, DEBUG="on", LOG_LEVEL=level)
    done = python(
        project,
        "-c",
        "import logging; from blog import wsgi; logging.getLogger('django.x').warning('hello')",
    )
    assert done.stdout.count("WARNING django.x: hello\n") == (level == "info")
    assert done.stderr == ""


def test_email_goes_to_the_console_while_debugging(project: Path) -> None:
    write_env(project, SECRET_KEY=SECRET, DEBUG="on")
    settings = load_settings(project)
    assert "console.EmailBackend" in str(settings.get("MAILERS", settings.get("EMAIL_BACKEND")))


PROXIED = """
import json, os
os.environ["DJANGO_SETTINGS_MODULE"] = "blog.settings"
import django
django.setup()
from django.http import HttpResponse
from django.test import Client
from django.urls import path
from blog import urls

urls.urlpatterns.append(path("me", lambda request: HttpResponse(request.META["REMOTE_ADDR"])))

def seen(**meta):
    return Client().get("/me", HTTP_HOST="localhost", **meta).content.decode()

real = {"HTTP_X_REAL_IP": "192.0.2.7"}
print(json.dumps({
    "by tcp": seen(REMOTE_ADDR="127.0.0.1", **real),
    "by socket": seen(REMOTE_ADDR="0.0.0.0", **real),
    "ipv6": seen(REMOTE_ADDR="::1", HTTP_X_REAL_IP="2001:db8::7"),
    "no proxy": seen(REMOTE_ADDR="127.0.0.1"),
    "from elsewhere": seen(REMOTE_ADDR="198.51.100.1", **real),
    "nonsense": seen(REMOTE_ADDR="127.0.0.1", HTTP_X_REAL_IP="<script>"),
    "list": seen(REMOTE_ADDR="127.0.0.1", HTTP_X_REAL_IP="192.0.2.7, 192.0.2.8"),
    "other header": seen(REMOTE_ADDR="127.0.0.1", HTTP_X_FORWARDED_FOR="192.0.2.7"),
}))
"""


def addresses(project: Path) -> dict[str, str]:
    done = python(project, "-c", PROXIED)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout.splitlines()[-1])  # type: ignore[no-any-return]


@pytest.mark.slow
def test_a_proxy_on_this_machine_tells_who_visits(project: Path) -> None:
    write_env(project, SECRET_KEY=SECRET, PROXY="on")
    assert addresses(project) == {
        "by tcp": "192.0.2.7",
        "by socket": "192.0.2.7",
        "ipv6": "2001:db8::7",
        "no proxy": "127.0.0.1",
        "from elsewhere": "198.51.100.1",
        "nonsense": "127.0.0.1",
        "list": "127.0.0.1",
        "other header": "127.0.0.1",
    }


@pytest.mark.slow
def test_without_a_proxy_nobody_can_claim_an_address(project: Path) -> None:
    assert set(addresses(project).values()) == {"127.0.0.1", "0.0.0.0", "::1", "198.51.100.1"}


# The running Act: one process lives through it all and reports

STORY = """
import json, os
os.environ["DJANGO_SETTINGS_MODULE"] = "blog.settings"
import django
django.setup()
from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.test import Client, RequestFactory
from django.contrib.staticfiles import finders
from blog.wsgi import application

client = Client(raise_request_exception=False)
report = {}

def ask(title, path, method="get", **meta):
    answer = getattr(client, method)(path, **{"HTTP_HOST": "localhost:8001", **meta})
    report[title] = {
        "status": answer.status_code,
        "text": answer.content.decode(),
        "headers": {name.lower(): value for name, value in answer.items()},
        "cookies": sorted(answer.cookies),
    }

def use_database(name):
    connection.close()
    connection.settings_dict["NAME"] = name

hostile = {"HTTP_HOST": "evil.example"}
ask("healthz", "/healthz", **hostile)
report["connected by healthz"] = connection.connection is not None
ask("healthz head", "/healthz", "head", **hostile)
ask("healthz post", "/healthz", "post")
head = RequestFactory().head("/healthz").environ
report["sent for head"] = b"".join(application(head, lambda status, headers: None)).decode()
ask("readyz before", "/readyz", **hostile)
call_command("migrate", verbosity=0)
ask("readyz after", "/readyz", **hostile)
ask("readyz head", "/readyz", "head", **hostile)
with connection.cursor() as cursor:
    for pragma in ("journal_mode", "synchronous"):
        report[pragma] = cursor.execute(f"PRAGMA {pragma}").fetchone()[0]

ask("hostile", "/", **hostile)
for host in ("localhost", "127.0.0.1:8001", "[::1]:8001", "www.example.com"):
    ask(host, "/", HTTP_HOST=host)
ask("proxied", "/", HTTP_X_FORWARDED_FOR="192.0.2.7")
ask("remote", "/", REMOTE_ADDR="192.0.2.7")
ask("admin", "/admin/login/")
ask("missing", "/nowhere")
report["static"] = all(finders.find(name) for name in ("welcome.css", "favicon.svg"))

good = connection.settings_dict["NAME"]
use_database("/nonexistent/hidden/db.sqlite3")
ask("readyz unreachable", "/readyz")
use_database(settings.BASE_DIR / "empty.sqlite3")
ask("readyz empty", "/readyz")
use_database(good)
ask("readyz again", "/readyz")
mark = settings.BASE_DIR / "drained"
os.environ["BACKSTAGE_DRAIN"] = str(mark)
mark.touch()
ask("readyz drained", "/readyz")
ask("page drained", "/")
mark.unlink()
ask("readyz undrained", "/readyz")

from django.db import connections
connections.settings["legacy"] = {**connections["default"].settings_dict, "NAME": ":memory:"}
ask("readyz with another's database", "/readyz")
connections.settings["reports"] = {**connections["legacy"].settings_dict, "NAME": "/nonexistent/r"}
ask("readyz without second database", "/readyz")
for alias in ("legacy", "reports"):
    del connections.settings[alias], connections[alias]

from django.urls import clear_url_caches
settings.ROOT_URLCONF = "blog.gone"
clear_url_caches()
ask("readyz without pages", "/readyz")
settings.ROOT_URLCONF = "blog.urls"
clear_url_caches()

from blog import welcome
welcome.render = lambda *args: 1 / 0
ask("broken", "/")
connection.close()
print(json.dumps(report))
"""


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What one process answered, by title; "log" holds the lines it wrote to stdout."""
    project = tmp_path_factory.mktemp("story") / "MyVenue" / "acts" / "blog"
    render(project, "blog")
    write_env(project, SECRET_KEY=SECRET, ALLOWED_HOSTS="localhost,127.0.0.1,[::1],www.example.com")
    done = python(project, "-c", STORY)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    *log, report = done.stdout.splitlines()
    return {**json.loads(report), "log": log}


def test_healthz_answers_first(story: dict[str, Any]) -> None:
    """Before the host check, without a session, without the database."""
    answer = story["healthz"]
    assert (answer["status"], answer["text"], answer["cookies"]) == (200, "ok\n", [])
    assert answer["headers"]["cache-control"] == "no-store"
    assert answer["headers"]["content-type"] == "text/plain; charset=utf-8"
    assert story["connected by healthz"] is False
    assert story["healthz head"]["status"] == 200
    assert story["healthz head"]["headers"]["content-length"] == "3"
    assert story["sent for head"] == ""
    assert story["healthz post"]["status"] == 404


def test_readyz_waits_for_migrations(story: dict[str, Any]) -> None:
    before = story["readyz before"]
    assert before["status"] == 503
    assert re.fullmatch(
        r"unapplied migrations: \d+, first \w+\.0001_initial \(run manage.py migrate\)\n",
        before["text"],
    )
    assert before["headers"]["cache-control"] == "no-store"
    assert (story["readyz after"]["status"], story["readyz after"]["text"]) == (200, "ok\n")
    assert (story["readyz head"]["status"], story["readyz head"]["text"]) == (200, "")


def test_readyz_follows_the_database(story: dict[str, Any]) -> None:
    """It notices a database that vanishes or is exchanged, and says no more than that."""
    unreachable = story["readyz unreachable"]
    assert unreachable["status"] == 503
    assert unreachable["text"] == "the database does not answer\n"
    assert [
        line for line in story["log"] if "Not ready, the database default does not answer:" in line
    ]
    assert story["readyz empty"]["status"] == 503
    assert story["readyz again"]["status"] == 200


def test_readyz_says_that_it_is_drained_while_pages_are_served(story: dict[str, Any]) -> None:
    assert (story["readyz drained"]["status"], story["readyz drained"]["text"]) == (
        503,
        "draining\n",
    )
    assert story["page drained"]["status"] == 200
    assert story["readyz undrained"]["status"] == 200


def test_readyz_asks_every_database(story: dict[str, Any]) -> None:
    """One that was never migrated is somebody else's, but has to answer."""
    assert story["readyz with another's database"]["status"] == 200
    second = story["readyz without second database"]
    assert (second["status"], second["text"]) == (503, "the database reports does not answer\n")


def test_readyz_imports_the_pages(story: dict[str, Any]) -> None:
    """Its answer names the module; what is wrong with it is for the log only."""
    pages = story["readyz without pages"]
    assert (pages["status"], pages["text"]) == (503, "blog.gone cannot be imported\n")
    assert [line for line in story["log"] if "No module named 'blog.gone'" in line]


def test_sqlite_runs_in_wal_mode(story: dict[str, Any]) -> None:
    assert story["journal_mode"] == "wal"
    assert story["synchronous"] == 1


def test_unknown_hosts_are_refused(story: dict[str, Any]) -> None:
    assert story["hostile"]["status"] == 400


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:8001", "[::1]:8001"])
def test_welcome_shows_the_way_around(story: dict[str, Any], host: str) -> None:
    page = story[host]
    assert page["status"] == 200
    for detail in (
        "<h1>blog</h1>",
        "<strong>MyVenue</strong>",
        f"Django <b>{django.get_version()}</b>",
        "/story0/MyVenue</code>",
        "acts/blog/blog/urls.py",
        "acts/blog/blog/settings.py",
        "bin/python acts/blog/manage.py createsuperuser",
        "touch vassals/blog.ini",
        "log/blog.log",
        'href="admin/"',
    ):
        assert detail in page["text"]


@pytest.mark.parametrize("visitor", ["www.example.com", "proxied", "remote"])
def test_welcome_tells_strangers_nothing(story: dict[str, Any], visitor: str) -> None:
    page = story[visitor]
    assert page["status"] == 200
    assert "<h1>blog</h1>" in page["text"]
    assert "It works." in page["text"]
    for detail in ("MyVenue", "acts/", django.get_version(), "manage.py"):
        assert detail not in page["text"]


def test_pages_carry_the_security_headers(story: dict[str, Any]) -> None:
    assert story["admin"]["status"] == 200
    assert story["admin"]["cookies"] == ["blog_csrftoken"]
    headers = story["admin"]["headers"]
    assert headers["x-frame-options"] == "DENY"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    if django.VERSION >= (6, 0):
        assert "default-src 'self'; script-src 'self'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
    assert story["static"] is True


def test_log_lines(story: dict[str, Any]) -> None:
    """Time, level and logger on each line; errors with their traceback; no probes."""
    log = story["log"]
    stamp = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+0000"
    assert [
        line for line in log if re.match(stamp + r" WARNING django.request: Not Found: /", line)
    ]
    error = [
        number
        for number, line in enumerate(log)
        if re.match(stamp + r" ERROR django.request: Internal Server Error: /$", line)
    ]
    assert len(error) == 1
    assert log[error[0] + 1] == "Traceback (most recent call last):"
    assert any(line.startswith("ZeroDivisionError") for line in log[error[0] :])
    assert not [line for line in log if "readyz" in line]
