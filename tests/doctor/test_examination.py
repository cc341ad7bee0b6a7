"""The examination as a whole: a Venue that has only its files, and findings themselves."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from backstage.doctor import directories, examination, lost
from backstage.doctor.finding import Finding, Remedy, Severity, note, ok, trouble
from backstage.layout.paths import VenuePaths
from backstage.layout.shipped_files import configuration
from backstage.status.survey import Survey
from backstage.system.files import remove_tree

CHECKS = [
    *("lost", "environment", "uwsgi", "permissions", "emperor", "files", "watcher", "ports"),
    *("disk", "limits", "leftovers", "acts", "django"),
]


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> VenuePaths:
    """A Venue with all its directories, an environment that is empty, and a stopped worker."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    venue = VenuePaths(tmp_path / "venue")
    for name in ("acts", "bin", "kept", "log", "run", "templates", "vassals"):
        (venue.top / name).mkdir(parents=True, mode=0o755)
    venue.run.chmod(0o700)
    (venue.templates / "launch").touch()
    venue.settings.touch()
    venue.emperor_ini.write_text(configuration("emperor", "emperor.ini", venue=str(venue.top)))
    venue.act("worker").kept.write_text("[uwsgi]\nmule = worker.py\n")
    return venue


def examine(paths: VenuePaths, *names: str) -> list[Finding]:
    return list(examination.examine(Survey(paths), names))


def told_by(paths: VenuePaths, check: str) -> list[Finding]:
    return [finding for finding in examine(paths, "worker") if finding.check == check]


def test_findings_in_words() -> None:
    told = trouble("run", "is open", Remedy("do it by hand, or", "chmod 700 run"))
    assert str(told) == "trouble: run: is open (do it by hand, or type: chmod 700 run)"
    assert told.command == "chmod 700 run"
    assert str(ok("run", "is closed")) == "ok: run: is closed"
    assert str(note("run", "is closed", Remedy("leave it"))) == "note: run: is closed (leave it)"
    alone = note("run", "is open", Remedy(command="chmod 700 run"))
    assert str(alone) == "note: run: is open (type: chmod 700 run)"


@pytest.mark.parametrize(
    "remedy",
    [
        None,
        Remedy("type: nothing"),
        Remedy(command="true"),
        Remedy("do so, or type: this, or", "a"),
    ],
)
def test_a_command_is_told_apart_from_the_words(remedy: Remedy | None) -> None:
    """Whatever the words are; programs run it as it is."""
    fields = note("run", "is open", remedy).fields
    assert fields == {
        **{"severity": "note", "check": "", "subject": "run", "what": "is open"},
        **{"remedy": str(remedy or ""), "command": remedy.command if remedy else ""},
    }


def test_every_check_has_its_say(paths: VenuePaths) -> None:
    """One after the other, also in a Venue where hardly anything works."""
    found = examine(paths, "worker")
    assert list(dict.fromkeys(finding.check for finding in found)) == [
        check for check in CHECKS if check != "ports"
    ]
    assert all(finding.remedy for finding in found if finding.severity is Severity.TROUBLE)


def test_findings_come_as_they_are_made(paths: VenuePaths, monkeypatch: pytest.MonkeyPatch) -> None:
    def endless(_: object) -> Iterator[Finding]:
        yield ok("first", "is there")
        raise AssertionError("asked for before it was wanted")

    monkeypatch.setattr(lost, "examine", lambda survey, _: endless(survey))
    assert next(examination.examine(Survey(paths), [])).subject == "first"


def test_a_check_that_fails_is_a_finding(
    paths: VenuePaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: object) -> Iterator[Finding]:
        yield ok("first", "is there")
        raise ZeroDivisionError("so it is")

    monkeypatch.setattr(directories, "disk", broken)
    first, failed = told_by(paths, "disk")
    assert first.severity is Severity.OK
    assert failed.severity is Severity.TROUBLE
    assert failed.what == "cannot be examined: ZeroDivisionError: so it is"
    assert "please report it" in str(failed.remedy)
    assert told_by(paths, "limits")


def test_a_file_that_is_not_there_is_a_finding(
    paths: VenuePaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(directories, "disk", lambda _: (paths.top / "away").read_bytes())
    (failed,) = told_by(paths, "disk")
    assert failed.command == f"ls -ld {paths.top / 'away'}"


@pytest.mark.parametrize(
    ("name", "command"),
    [
        *((name, "backstage venue start") for name in ("acts/", "kept/", "log/", "vassals/")),
        *((name, "backstage upgrade") for name in ("emperor.ini", "templates/launch")),
    ],
)
def test_what_is_lost_is_told_by_name(paths: VenuePaths, name: str, command: str) -> None:
    """No other check stumbles over it; without an Emperor, nothing is lost with `run/`."""
    assert [told.severity for told in told_by(paths, "lost")] == [Severity.OK]
    for path in (paths.top / name, paths.run):
        remove_tree(path)
    (told,) = told_by(paths, "lost")
    assert (told.severity, told.subject, told.command) == (Severity.TROUBLE, name, command)
    assert not [each for each in examine(paths, "worker") if "cannot be examined" in each.what]


def test_without_an_emperor(paths: VenuePaths) -> None:
    """That is trouble as soon as an Act is wanted, whether it is examined or not."""
    (told,) = told_by(paths, "emperor")
    assert (told.severity, told.command) == (Severity.NOTE, "backstage venue start")
    paths.act("blog").vassal.touch()
    (told,) = told_by(paths, "emperor")
    assert (told.severity, told.command) == (Severity.TROUBLE, "backstage venue start")


@pytest.mark.parametrize("option", ["flock", "emperor", "emperor-stats"])
def test_an_emperor_that_nobody_would_find(paths: VenuePaths, option: str) -> None:
    lines = paths.emperor_ini.read_text().splitlines(keepends=True)
    there = [line for line in lines if line.startswith(f"{option} =")][-1]
    paths.emperor_ini.write_text("".join(line for line in lines if line != there))
    told = told_by(paths, "emperor")[0]
    assert told.severity is Severity.TROUBLE
    assert str(told.remedy) == f"write `{there.strip()}` into {paths.emperor_ini}"


def test_what_is_no_django_project(paths: VenuePaths) -> None:
    (told,) = told_by(paths, "django")
    assert told.severity is Severity.NOTE
    assert [finding.what for finding in told_by(paths, "acts")] == ["stopped"]


@pytest.mark.skipif(os.geteuid() != 0, reason="giving files away needs root")
def test_nothing_of_another_users_venue_is_run(paths: VenuePaths) -> None:
    os.chown(paths.top, 65534, 65534)
    (told,) = examine(paths, "worker")
    assert (told.severity, told.check) == (Severity.TROUBLE, "permissions")
