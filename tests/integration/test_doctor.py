"""A real Venue, broken in one way after the other: each is found, and what to type mends it."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from backstage.act import Act
from backstage.cli.exits import Exit
from backstage.doctor.finding import Finding, Severity
from backstage.errors import ActFailed, NoSuchAct
from backstage.facts.states import State
from backstage.facts.watching import Watching
from backstage.projects import ask
from backstage.shortcuts import new_act, new_venue
from backstage.system.deadlines import Deadline, until
from backstage.venue import Venue
from tests.patience import PATIENCE

from .calling import call, environment, terminal
from .conftest import processes_within
from .saving import renamed_with_an_old_date

pytestmark = pytest.mark.slow

PASSWORD = "pa/ss@w0rd-9f"
# The tests find what they have broken, whatever this machine is like.
MACHINES = ("disk", "limits")


@pytest.fixture(scope="module")
def theatre(stage: Path) -> Iterator[Venue]:
    """A Venue with two Acts, which every test leaves as it was."""
    venue = new_venue("theatre", stage)
    for name in ("blog", "shop"):
        new_act(venue, name)
    yield venue
    venue.stop()


@pytest.fixture
def blog(theatre: Venue) -> Act:
    return theatre["blog"]


def troubles(venue: Venue, *names: str, check: str = "") -> list[Finding]:
    """All that is worse than a note, unless it is this machine's; or that one check has to say."""
    found: list[Finding] = []
    seen = False
    for each in venue.examine(*names):
        if check and seen and each.check != check:
            break
        seen = seen or each.check == check
        if each.severity in {Severity.WARNING, Severity.TROUBLE} and each.check not in MACHINES:
            found.append(each)
    return [each for each in found if not check or each.check == check]


def trouble(venue: Venue, *names: str, check: str = "") -> Finding:
    """The only one of the troubles."""
    found = troubles(venue, *names, check=check)
    assert len(found) == 1, found
    return found[0]


def type_(venue: Venue, finding: Finding) -> None:
    """Do as a finding says."""
    assert finding.command, finding
    command = ["/bin/sh", "-c", finding.command]
    subprocess.run(command, check=True, timeout=120, cwd=venue.path, env=environment())


@contextmanager
def changed(path: Path, text: str) -> Iterator[None]:
    """A file with other text in it, for so long."""
    before, mode = path.read_text(), path.stat().st_mode
    path.write_text(text)
    try:
        yield
    finally:
        path.write_text(before)
        path.chmod(mode)


@contextmanager
def added(path: Path, text: str) -> Iterator[None]:
    with changed(path, f"{path.read_text()}{text}"):
        yield


@contextmanager
def unwatched(venue: Venue) -> Iterator[None]:
    """No watcher for so long: it writes down what Acts say about their health."""
    with added(venue.paths.settings, "watcher: off\n"):
        assert until(lambda: venue.watcher.pid is None, Deadline(PATIENCE))
        yield
    venue.start()
    assert until(lambda: venue.watcher.state is Watching.RUNNING, Deadline(PATIENCE))


@contextmanager
def replaced(path: Path, script: str) -> Iterator[None]:
    """A program that is another one for so long, which finds the true one at `$TRUE`."""
    true = path.with_name(f"true-{path.name}")
    path.rename(true)
    try:
        path.write_text(f"#!/bin/sh\nTRUE={shlex.quote(str(true))}\n{script}\n")
        path.chmod(0o755)
        yield
    finally:
        true.replace(path)


def files_of(venue: Venue) -> Mapping[str, tuple[int, int, int]]:
    """Every file but the logs, which the Acts go on to write, with what a change would change."""
    facts = {path: path.lstat() for path in venue.path.rglob("*") if "log" not in path.parts}
    return {
        str(path): (fact.st_mode, fact.st_size if path.is_file() else 0, fact.st_mtime_ns)
        for path, fact in facts.items()
    }


def test_a_venue_in_order(theatre: Venue) -> None:
    found = list(theatre.examine())
    assert [each for each in found if each.check not in MACHINES and each.remedy] == [
        each for each in found if each.check == "django" and each.severity is Severity.NOTE
    ]
    assert {each.subject for each in found if each.check == "acts"} == {"blog", "shop"}


def test_an_examination_changes_nothing(theatre: Venue) -> None:
    with unwatched(theatre):
        # This asks Acts that have not been asked for long.
        theatre.snapshot()
        before = files_of(theatre)
        list(theatre.examine())
        assert files_of(theatre) == before


def test_a_database_that_rests_is_read_without_a_trace(theatre: Venue, blog: Act) -> None:
    """SQLite would make files beside it, and a database where there is none."""
    blog.stop()
    shutil.rmtree(blog.paths.top / "blog" / "__pycache__")
    with unwatched(theatre):
        theatre.snapshot()
        before = files_of(theatre)
        assert not troubles(theatre, "blog")
        assert files_of(theatre) == before
    database = blog.paths.top / "db.sqlite3"
    aside = database.rename(database.with_name("aside"))
    try:
        told = trouble(theatre, "blog")
        assert "migrations not applied" in told.what
        assert not database.exists()
    finally:
        aside.rename(database)
        blog.start()


def test_a_database_in_use_is_read_as_it_is(theatre: Venue, blog: Act) -> None:
    """What another program has committed counts, though the file itself does not have it yet."""
    database = blog.paths.top / "db.sqlite3"
    forget = (
        "import sqlite3, sys\nc = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "c.execute('create table spare as select * from django_migrations')\n"
        "c.execute(\"delete from django_migrations where app = 'sessions'\")\n"
        "print(flush=True); input()\n"
        "c.execute('delete from django_migrations')\n"
        "c.execute('insert into django_migrations select * from spare')\n"
        "c.execute('drop table spare')\n"
    )
    words = [sys.executable, "-c", forget, str(database)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as user:
        assert user.stdin
        assert user.stdout
        user.stdout.readline()
        assert database.with_name("db.sqlite3-wal").stat().st_size
        told = trouble(theatre, "blog")
        user.communicate(b"\n", timeout=PATIENCE)
    assert told.what == "1 migration not applied: sessions.0001_initial"
    assert not troubles(theatre, "blog")


def test_only_the_acts_that_are_named(theatre: Venue) -> None:
    """The others' trouble is not told; the Venue's is."""
    with changed(theatre["shop"].paths.env_file, "SECRET_KEY=short\n"):
        assert not troubles(theatre, "blog")
        assert [each.subject for each in troubles(theatre, "shop", "shop")] == ["shop"]
    with pytest.raises(NoSuchAct, match="did you mean 'blog'"):
        theatre.examine("blgo")


def test_migrations_that_are_not_applied(theatre: Venue, blog: Act) -> None:
    blog.manage("migrate", "sessions", "zero")
    told = trouble(theatre, "blog")
    assert (told.check, told.subject) == ("django", "blog")
    assert told.what == "1 migration not applied: sessions.0001_initial"
    type_(theatre, told)
    assert not troubles(theatre, "blog")


def test_debug_that_is_on(theatre: Venue, blog: Act) -> None:
    with added(blog.paths.env_file, "DEBUG=on\n"):
        told = trouble(theatre, "blog")
        assert (told.severity, told.subject) == (Severity.WARNING, "blog")
        with added(blog.paths.env_file, "ALLOWED_HOSTS=www.example.com\n"):
            debug, https = troubles(theatre, "blog")
        assert debug.severity is Severity.TROUBLE
        assert https.severity is Severity.WARNING
    with added(blog.paths.vassal, "env = DEBUG=on\n"):
        assert "DEBUG is on" in "".join(each.what for each in troubles(theatre, "blog"))
    blog.restart()


def test_tls_answers_all_that_is_for_https(theatre: Venue, blog: Act) -> None:
    def advice() -> list[Finding]:
        return [each for each in theatre.examine("blog") if "https" in each.what]

    (told,) = advice()
    assert told.command == "backstage env blog set TLS=on --restart"
    with added(blog.paths.env_file, "TLS=on\n"):
        assert not advice()


@pytest.mark.parametrize("key", ["hunter2", f"django-insecure-{'x7' * 30}", "ab" * 40])
def test_a_weak_key(theatre: Venue, blog: Act, key: str) -> None:
    with changed(blog.paths.env_file, f"SECRET_KEY={key}"):
        told = trouble(theatre, "blog")
        assert told.what.startswith("SECRET_KEY is weak")
        assert key not in str(told)
        type_(theatre, told)
        assert not troubles(theatre, "blog")
    blog.restart()


def test_a_key_that_two_acts_have(theatre: Venue, blog: Act) -> None:
    """They are told apart although neither is shown."""
    shop = theatre["shop"].paths.env_file
    with changed(shop, blog.paths.env_file.read_text()):
        told = trouble(theatre)
        assert (told.severity, told.subject) == (Severity.TROUBLE, "blog, shop")
        key = blog.paths.env_file.read_text().partition("SECRET_KEY=")[2].strip()
        assert key[:6] not in str(told)
        type_(theatre, told)
        assert not troubles(theatre)
    theatre["shop"].restart()


@pytest.mark.parametrize("text", ["LOG_LEVEL=INFO\n", "SECRET_KEY=\n"])
def test_a_key_that_is_missing(theatre: Venue, blog: Act, text: str) -> None:
    """Also where the Act has been started again without one, and fails for it."""
    with changed(blog.paths.env_file, text):
        told = trouble(theatre, "blog")
        assert told.what == "cannot be loaded: it has no SECRET_KEY"
        with pytest.raises(ActFailed):
            blog.restart(check=False)
        found = troubles(theatre, "blog")
        assert {each.subject for each in found} == {"blog"}
        for each in (told, *found):
            for line in (each.what, str(each.remedy)):
                assert not line.rstrip().endswith("type:"), "with nothing behind it"
                assert "type: (" not in line, "with only a place behind it"
        type_(theatre, told)
        assert not troubles(theatre, "blog")
        assert blog.state is State.RUNNING
    blog.restart()


@pytest.mark.parametrize(
    "url",
    [
        f"postgres://blog:{PASSWORD}@db.invalid:5432/blog",
        f"sqlite:////nowhere/{PASSWORD}",
        f"mysql://blog:{PASSWORD}@db.invalid/x?password={PASSWORD}",
    ],
)
def test_a_database_that_is_not_there(theatre: Venue, blog: Act, url: str) -> None:
    """Its password is told neither whole nor in part."""
    with added(blog.paths.env_file, f"DATABASE_URL={url}\n"):
        told = trouble(theatre, "blog")
    assert told.subject == "blog"
    if not url.startswith("sqlite"):
        pieces = {PASSWORD[at : at + 4] for at in range(len(PASSWORD) - 3)}
        assert not [piece for piece in pieces if piece in str(told)]


def test_what_an_application_says_while_it_loads(theatre: Venue, blog: Act) -> None:
    """It is not taken for the report."""
    settings = blog.paths.top / "blog" / "settings.py"
    noise = '\nimport atexit, sys\nprint("{}", file=sys.stderr)\natexit.register(print, "[]")\n'
    with added(settings, noise):
        assert not troubles(theatre, "blog")


def test_settings_that_cannot_be_loaded(theatre: Venue, blog: Act) -> None:
    with added(blog.paths.top / "blog" / "settings.py", "\nimport stripe_of_nobody\n"):
        told = trouble(theatre, "blog")
    assert "No module named 'stripe_of_nobody'" in told.what
    assert "settings.py, line" in told.what
    assert told.command == "backstage manage blog check --deploy"


def test_settings_that_hang(theatre: Venue, blog: Act, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ask, "_PATIENCE", 3.0)
    with added(blog.paths.top / "blog" / "settings.py", "\nimport time\ntime.sleep(600)\n"):
        told = trouble(theatre, "blog")
    assert told.what == "cannot be examined: it did not load within 3 s"


def test_who_stops_reading_leaves_no_process(theatre: Venue, blog: Act) -> None:
    before = {process.pid for process in processes_within(theatre.path)}
    hang = "\nimport time\ntime.sleep(600)\n"
    with added(theatre["shop"].paths.top / "shop" / "settings.py", hang):
        findings = theatre.examine()
        assert next(each for each in findings if each.check == "django").subject == "blog"
        findings.close()  # type: ignore[attr-defined]
    assert {process.pid for process in processes_within(theatre.path)} == before


def test_an_act_that_fails(theatre: Venue, blog: Act) -> None:
    with added(blog.paths.top / "blog" / "wsgi.py", "\nraise RuntimeError('on purpose')\n"):
        blog.restart(wait=None, check=False)
        blog.wait("failing")
        told = trouble(theatre, check="acts")
    assert (told.check, told.subject) == ("acts", "blog")
    assert "RuntimeError: on purpose" in told.what
    type_(theatre, told)
    assert blog.state is State.RUNNING


def test_acts_that_could_not_be_started_again(theatre: Venue) -> None:
    """They run, but not with the template that they include now."""
    with added(theatre.paths.templates / "django.ini", "threds = 4\n"):
        told = troubles(theatre, check="acts")
    assert [each.subject for each in told] == ["blog", "shop"]
    for each in told:
        assert each.what.startswith("cannot be started: templates/django.ini, line ")
        assert "did you mean 'threads'" in each.what


def test_an_edit_that_is_not_used(theatre: Venue, blog: Act) -> None:
    before = blog.paths.vassal.read_text()
    with theatre.events(timeout=PATIENCE) as events:
        renamed_with_an_old_date(blog.paths.vassal, f"{before}threds = 4\n")
        assert "edit refused" in next(events).reason
        told = trouble(theatre, check="acts")
        assert (told.severity, told.check) == (Severity.WARNING, "acts")
        assert "did you mean 'threads'" in told.what
        theatre.emperor.wake()
        blog.paths.vassal.write_text(before)
        assert until(lambda: not troubles(theatre, check="acts"), Deadline(PATIENCE))


def test_no_emperor(theatre: Venue) -> None:
    theatre.stop()
    told = trouble(theatre, check="emperor")
    assert told.what == "does not run, and neither do its wanted Acts (2)"
    type_(theatre, told)
    assert not troubles(theatre, check="emperor")
    for act in theatre:
        act.wait("running")


def test_an_emperor_that_is_halted(theatre: Venue) -> None:
    pid = theatre.emperor.pid
    assert pid
    os.kill(pid, signal.SIGSTOP)
    try:
        told = troubles(theatre, check="emperor")[0]
        type_(theatre, told)
        assert not troubles(theatre, check="emperor")
    finally:
        os.kill(pid, signal.SIGCONT)


def test_a_uwsgi_without_some_features(theatre: Venue) -> None:
    fewer = 'if [ "$1" = --cflags ]; then echo "-DUWSGI_ROUTING -DUWSGI_PCRE2"; exit; fi\n'
    with replaced(theatre.path / "bin" / "uwsgi", f'{fewer}exec "$TRUE" "$@"'):
        examined = theatre.examine()
        found = [next(each for each in examined if each.check == "uwsgi") for _ in range(3)]
    assert found[0].what.endswith(" with pcre")
    assert [each.what for each in found[1:]] == [
        "was built without ssl, which https, signed subscriptions and the legion need",
        "was built without capabilities, which the options cap and emperor-cap need",
    ]
    assert {each.severity for each in found[1:]} == {Severity.NOTE}


@pytest.mark.parametrize(
    "script",
    ["echo cannot open shared object; exit 127", '[ "$1" != --virtualenv ] && exec "$TRUE" "$@"'],
)
def test_a_uwsgi_that_does_not_do(theatre: Venue, script: str) -> None:
    """It does not run, or runs another Python than the Venue's."""
    with replaced(theatre.path / "bin" / "uwsgi", script):
        told = trouble(theatre, check="uwsgi")
    assert told.severity is Severity.TROUBLE
    assert "bin/pip install --force-reinstall" in told.command


def test_a_python_that_is_gone(theatre: Venue) -> None:
    with replaced(theatre.path / "bin" / "python", "exit 127"):
        told = trouble(theatre, check="environment")
    assert (told.severity, told.subject) == (Severity.TROUBLE, "bin/python")


def test_a_django_that_is_out_of_date(theatre: Venue) -> None:
    (information,) = theatre.paths.site_packages.glob("[Dd]jango-[0-9]*.dist-info")
    metadata = information / "METADATA"
    version = information.name.removesuffix(".dist-info").partition("-")[2]
    series = ".".join(version.split(".")[:2])
    older = metadata.read_text().replace(f"Version: {version}", f"Version: {series}", 1)
    with changed(metadata, older):
        told = trouble(theatre, check="environment")
    assert (told.severity, told.subject) == (Severity.WARNING, "Django")
    assert f"'Django=={series}.*'" in told.command


def test_others_who_may_write(theatre: Venue) -> None:
    theatre.paths.vassals.chmod(0o777)
    try:
        told = trouble(theatre, check="permissions")
        type_(theatre, told)
        assert not troubles(theatre, check="permissions")
    finally:
        theatre.paths.vassals.chmod(0o755)


def test_the_command_in_a_terminal(theatre: Venue, blog: Act) -> None:
    """Nothing is wider than it, but a command, which is to be copied."""
    blog.paths.env_file.chmod(0o644)
    try:
        with terminal("doctor", cwd=theatre.path, columns=50) as shown:
            assert shown.end() == Exit.FAILED
    finally:
        blog.paths.env_file.chmod(0o600)
    lines = [line for line in shown.shown.splitlines() if "Examining" not in line]
    at = lines.index("Permissions")
    assert [line.rstrip() for line in lines[at + 1 : at + 5]] == [
        "  ✗ acts/blog/.env: other users can access the",
        "    secrets in it",
        "    → type:",
        f"      chmod 600 {blog.paths.env_file}",
    ]
    assert any(line.startswith("1 failed, ") for line in lines)
    assert not [line for line in lines if len(line) > 50 and str(theatre.path) not in line]


def test_the_command_in_ascii(theatre: Venue) -> None:
    done = call("doctor", "shop", cwd=theatre.path, env={"LC_ALL": "C"})
    assert done.returncode == Exit.DONE
    assert done.stdout.isascii()
    assert "\n  + shop: running on port " in done.stdout
    advice = "to serve it over https with nginx: backstage nginx bind shop DOMAIN --tls auto"
    assert f"    -> {advice}" in done.stdout
    assert done.stdout.splitlines()[-1].endswith(" ok")


def test_the_command_for_programs(theatre: Venue, blog: Act) -> None:
    with added(blog.paths.env_file, "SECRET_KEY=short\n"):
        done = call("doctor", "blog", "--json", cwd=theatre.path)
    assert done.returncode == Exit.FAILED
    envelope = json.loads(done.stdout)
    result = envelope["result"]
    assert not envelope["ok"]
    assert result["venue"] == str(theatre.path)
    assert result["trouble"] == 1
    (told,) = [each for each in result["findings"] if each["severity"] == "trouble"]
    assert told["subject"] == "blog"
    assert told["check"] == "django"
    assert told["remedy"].endswith(told["command"])
    assert call("doctor", "blgo", cwd=theatre.path).returncode == Exit.NOT_THERE


def test_how_it_is_when_all_is_over(theatre: Venue) -> None:
    """No test has left the Venue broken, which the others would then be blamed for."""
    assert not troubles(theatre)
