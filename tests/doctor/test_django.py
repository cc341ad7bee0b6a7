"""What the report of a Django project means."""

from __future__ import annotations

import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from backstage.doctor import django
from backstage.doctor.finding import Finding, Remedy, Severity
from backstage.layout.paths import ActPaths
from backstage.projects.inspection import Report
from backstage.projects.project import Project
from tests import acts_on_disk

KEY = "kq3v9xtt0pZr81mmWc5dLx27Yh"
FOR_HTTPS = ["security.W004", "security.W008", "security.W012", "security.W016"]


@pytest.fixture
def act(tmp_path: Path) -> ActPaths:
    act = acts_on_disk.with_project(tmp_path)
    act.env_file.write_text(f"SECRET_KEY={KEY}\nDEBUG=on\n")
    return act


@pytest.fixture
def project(act: ActPaths) -> Project:
    environment = {"DJANGO_SETTINGS_MODULE": "blog.settings"}
    return Project(act, act.top, act.venue.python, environment)


def judged(project: Project, **told: object) -> list[Finding]:
    report = Report(django="5.2.1", **told)  # type: ignore[arg-type]
    return list(django.judged(project, report))


def examined(act: ActPaths) -> list[Finding]:
    with closing(django.Examination([act], lambda _: None)) as examination:
        assert examination.begin() == ()
        return list(examination.findings())


def message(identity: str, level: int = 30, text: str = "Some words.", hint: str = "") -> object:
    return (identity, level, text, hint)


def test_a_project_in_order(project: Project) -> None:
    (told,) = judged(project)
    assert str(told) == (
        "ok: blog: Django 5.2.1: DEBUG is off, all migrations are applied, "
        "`check --deploy` reports nothing"
    )


@pytest.mark.parametrize(
    ("hosts", "severity"),
    [
        *(([], Severity.WARNING), (["localhost", "127.0.0.1", "[::1]"], Severity.WARNING)),
        *((["localhost", "www.example.com"], Severity.TROUBLE), (["*"], Severity.TROUBLE)),
    ],
)
def test_debug(project: Project, hosts: list[str], severity: Severity) -> None:
    """Trouble as soon as others than this machine are answered."""
    told, *others = judged(project, debug=True, hosts=hosts, messages=[message("security.W018")])
    assert told.severity is severity
    assert told.command == "backstage env blog set DEBUG=off"
    assert [finding.severity for finding in others] == [Severity.OK]
    assert "DEBUG" not in others[0].what


def test_debug_is_switched_off_where_it_is_set(project: Project) -> None:
    project.act.env_file.write_text(f"SECRET_KEY={KEY}\n")
    assert "write DEBUG = False into blog.settings" in str(judged(project, debug=True)[0].remedy)
    project.act.vassal.touch()
    assert judged(project, debug=True)[0].command == "backstage restart blog"
    given = Project(project.act, project.directory, project.python, {"DEBUG": "1"})
    assert judged(given, debug=True)[0].command == "backstage edit blog"


@pytest.mark.parametrize(
    ("pending", "shown"),
    [
        (["auth.0001_initial"], "1 migration not applied: auth.0001_initial"),
        (["a.1", "a.2", "b.1", "b.2"], "4 migrations not applied: a.1, a.2, b.1, …"),
    ],
)
def test_migrations(project: Project, pending: list[str], shown: str) -> None:
    told, _ = judged(project, pending=pending)
    assert (told.severity, told.what) == (Severity.TROUBLE, shown)
    assert told.command == "backstage manage blog migrate"


def test_what_is_for_https_is_one_finding(project: Project) -> None:
    """A note while only this machine is answered; one switch where the project has it."""
    messages = [message(each) for each in FOR_HTTPS]
    told, _ = judged(project, tls=False, messages=messages)
    assert told.severity is Severity.NOTE
    assert told.what == "is not set up for https (security.W004, W008, W012, W016)"
    assert told.command == "backstage env blog set TLS=on"
    told, _ = judged(project, hosts=["www.example.com"], messages=messages)
    assert told.severity is Severity.WARNING
    assert (
        "set SECURE_HSTS_SECONDS, SECURE_SSL_REDIRECT, SESSION_COOKIE_SECURE, CSRF_COOKIE_SECURE;"
    ) in str(told.remedy)


@pytest.mark.parametrize("identity", ["security.W009", "security.W025"])
def test_a_weak_key(project: Project, identity: str) -> None:
    told, _ = judged(project, messages=[message(identity), message(identity)])
    assert told.severity is Severity.TROUBLE
    assert told.command.endswith("| backstage env blog set SECRET_KEY=-")
    project.act.env_file.unlink()
    told, _ = judged(project, messages=[message(identity)])
    assert "import secrets" in told.command


@pytest.mark.parametrize(
    ("level", "severity"),
    [(20, Severity.NOTE), (30, Severity.WARNING), (40, Severity.TROUBLE), (50, Severity.TROUBLE)],
)
def test_other_messages(project: Project, level: int, severity: Severity) -> None:
    """Each once, however often it is said; the hint is the remedy, if there is one."""
    same = [message("models.W042", level, "Auto-created\nprimary key."), message("models.W042")]
    told, _ = judged(project, messages=same)
    assert told.severity is severity
    assert told.what == "models.W042 (2 times): Auto-created primary key."
    assert told.command == "backstage manage blog check --deploy"
    told, _ = judged(project, messages=[message("fields.E1", level, hint="Do so.")])
    assert told.remedy == Remedy("Do so.")


SETTINGS = {
    "settings that read the .env": (
        "import environ\nenv = environ.Env()\nenv.read_env(__file__ + '/../../.env')\n"
        "SECRET_KEY = env('SECRET_KEY')\n"
    ),
    "settings that say themselves what to do": (
        "from django.core.exceptions import ImproperlyConfigured\n"
        "raise ImproperlyConfigured('SECRET_KEY is missing. To make one, type:\\ntrue')\n"
    ),
}


@pytest.mark.parametrize("text", SETTINGS.values(), ids=SETTINGS)
def test_a_project_without_a_key(act: ActPaths, text: str) -> None:
    """The project's own Python tells, and its .env lacks it: there a new one goes."""
    (act.top / "blog" / "settings.py").write_text(text)
    act.vassal.write_text(f"[uwsgi]\nvirtualenv = {sys.prefix}\n")
    act.env_file.write_text("DEBUG=on\n")
    (told,) = examined(act)
    assert told.severity is Severity.TROUBLE
    assert told.what == "cannot be loaded: it has no SECRET_KEY"
    assert told.command.startswith("python3 -c ")
    assert told.command.endswith(" | backstage env blog set SECRET_KEY=- --restart")


def test_a_key_that_the_env_file_has_nothing_to_do_with(act: ActPaths) -> None:
    """Neither where there is one already, nor where the project has no .env."""
    (act.top / "blog" / "settings.py").write_text("raise KeyError('SECRET_KEY')\n")
    act.vassal.write_text(f"[uwsgi]\nvirtualenv = {sys.prefix}\n")
    for _ in range(2):
        (told,) = examined(act)
        assert told.what.startswith("cannot be examined: KeyError: 'SECRET_KEY'")
        assert told.command == "backstage manage blog check --deploy"
        act.env_file.unlink(missing_ok=True)


def test_what_could_not_be_told(project: Project) -> None:
    errors = {"pending": "OperationalError: no such host", "key": "ImproperlyConfigured: empty"}
    found = judged(project, errors=errors)
    assert [finding.severity for finding in found[:2]] == [Severity.TROUBLE] * 2
    assert found[0].what == "its migrations cannot be listed: OperationalError: no such host"
    assert "migrations" not in found[-1].what


def test_no_secret_is_told(project: Project) -> None:
    errors = {"messages": f"ValueError: bad {KEY}", "pending": f"E: {KEY[5:12]}"}
    messages = [message("a.W1", text=f"is {KEY}", hint=KEY)]
    text = "\n".join(map(str, judged(project, errors=errors, messages=messages)))
    assert not [KEY[at : at + 4] for at in range(len(KEY) - 3) if KEY[at : at + 4] in text]


def test_keys_that_several_acts_have(project: Project) -> None:
    """Those without a key are not alike."""
    shop = replace(project, act=project.act.venue.act("shop"))
    holders = {"d1": [project, shop], "d2": [project], "": [project, shop]}
    (told,) = django.shared(holders)
    assert (told.severity, told.subject) == (Severity.TROUBLE, "blog, shop")
    assert told.command.endswith("| backstage env shop set SECRET_KEY=-")


def test_an_act_that_is_no_django_project(act: ActPaths) -> None:
    act.manage.unlink()
    (told,) = examined(act)
    assert told.severity is Severity.NOTE
