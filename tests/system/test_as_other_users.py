"""What root runs, reads and renames for another user: nothing of that user's runs as root."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from backstage.errors import SystemRefused, UnsafeDirectory
from backstage.layout.paths import VenuePaths
from backstage.operations import relocation_journal, retire_venue
from backstage.operations.relocation_journal import Journal
from backstage.operations.upgrade_journal import Change
from backstage.projects.env_file import EnvFile
from backstage.system import as_user, programs, trust
from backstage.uwsgi import includes
from tests.integration.calling import terminal

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root acts for other users")

NOBODY = pwd.getpwnam("nobody").pw_uid
# Writes down as whom a program runs, before that program begins.
SPY = """
#include <stdio.h>
#include <unistd.h>
__attribute__((constructor)) static void spy(void) {
    FILE *log = fopen("%s/spied", "a");
    if (log) { fprintf(log, "%%d\\n", geteuid()); fclose(log); }
}
"""
TERMINAL = """
import os, pathlib, sys
from backstage.system import programs, users
show = ["/usr/bin/python3", "-c", "import os; print('its', os.ttyname(0), os.getuid())"]
print("ours", os.ttyname(0), flush=True)
uid = int(sys.argv[1])
if sys.argv[2] == "become":
    users.become(uid)
status = programs.run_in_terminal(
    show, cwd=pathlib.Path("/"), env=os.environ, uid=None if sys.argv[2] == "become" else uid
)
print("status", status)
"""


@pytest.fixture
def place(open_place: Path) -> Path:
    """A directory in which everybody can write."""
    open_place.chmod(0o1777)
    return open_place


@pytest.mark.skipif(not shutil.which("gcc"), reason="gcc is not installed")
@pytest.mark.parametrize("how", ["run", "apart", "terminal"])
def test_the_variables_of_a_users_program_are_for_that_program_alone(place: Path, how: str) -> None:
    """A library that it preloads would run as root in whatever root runs first."""
    source, library = place / "spy.c", place / "spy.so"
    source.write_text(SPY % place)
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", library, source], check=True)
    (place / "spied").touch()
    (place / "spied").chmod(0o666)
    env = {"LD_PRELOAD": str(library)}
    if how == "run":
        programs.run(["/bin/true"], cwd=place, env=env, uid=NOBODY)
    elif how == "apart":
        with programs.start_apart(["/bin/true"], env=env, uid=NOBODY, gains=True):
            pass
    else:
        programs.run_in_terminal(["/bin/true"], cwd=place, env=env, uid=NOBODY)
    assert {*(place / "spied").read_text().split()} == {str(NOBODY)}


def test_a_users_program_begins_where_that_user_can(place: Path) -> None:
    closed = place / "closed"
    (closed / "open").mkdir(parents=True)
    closed.chmod(0o700)
    (closed / "open" / "file").write_text("secret")
    done = programs.run(["/bin/cat", "file"], cwd=closed / "open", env={}, uid=NOBODY)
    assert done.returncode
    assert "secret" not in done.stdout


@pytest.mark.parametrize("how", ["uid", "become"])
def test_a_users_program_has_a_terminal_of_its_own(how: str) -> None:
    """It could type into root's."""
    words = [sys.executable, "-c", TERMINAL, str(NOBODY), how]
    with terminal(program=words, cwd=Path("/")) as shell:
        shell.end()
        shown = dict(line.split(" ", 1) for line in shell.shown.splitlines())
    ours, (its, uid) = shown["ours"], shown["its"].split()
    assert its.startswith("/dev/pts/")
    assert its != ours
    assert (int(uid), shown["status"]) == (NOBODY, "0")


def swapped(top: Path, goal: Path) -> None:
    """The user of a directory has put a link in the place of one that was looked at before."""
    (top / "a").rename(top / "a_old")
    (top / "a").symlink_to(goal)


def test_no_link_in_a_users_directory_leads_root_elsewhere(place: Path) -> None:
    """Not even one that comes between the look and the change."""
    venue, goal = place / "venue", place / "roots"
    act = venue / "acts" / "r1"
    (act / "a" / "b").mkdir(parents=True)
    (goal / "b").mkdir(parents=True)
    (goal / "b" / "victim").write_text("root's")
    for path in (act, act / "a", act / "a" / "b"):
        os.chown(path, NOBODY, -1)
    assert trust.first_stranger(act / "a" / "b" / "victim", venue) == NOBODY
    assert trust.first_stranger(venue / "acts" / "r1", venue) is None
    swapped(act, goal)
    name = "acts/r1/a/b/victim"
    change = Change("root's", "mine", 0o644)
    for journal in (
        Journal(pid=0, began=0.0, files={}, links={name: ("/before", "/after")}),
        Journal(pid=0, began=0.0, files={name: change}, links={}),
    ):
        with pytest.raises(SystemRefused):
            relocation_journal.apply(VenuePaths(venue), journal)
    assert not (goal / "b" / "victim").is_symlink()
    assert (goal / "b" / "victim").read_text() == "root's"


def test_a_venue_is_renamed_with_the_rights_of_who_could_replace_it(place: Path) -> None:
    theirs, goal = place / "theirs", place / "roots"
    (theirs / "a" / "passwd").mkdir(parents=True)
    goal.mkdir()
    (goal / "passwd").write_text("root's")
    for path in (theirs, theirs / "a", theirs / "a" / "passwd"):
        os.chown(path, NOBODY, -1)
    swapped(theirs, goal)
    with pytest.raises(SystemRefused):
        retire_venue._rename(theirs / "a" / "passwd", theirs / "a" / "passwd.retired")
    assert (goal / "passwd").read_text() == "root's"
    (theirs / "a").unlink()
    (theirs / "a_old").rename(theirs / "a")
    retire_venue._rename(theirs / "a" / "passwd", theirs / "a" / "passwd.retired")
    assert (theirs / "a" / "passwd.retired").is_dir()


def test_what_root_alone_may_read_is_not_read_for_another_users_file(place: Path) -> None:
    """What is told of it would be told to that user."""
    paths = VenuePaths(place)
    paths.vassals.mkdir()
    secret, own = place / "secret.ini", place / "own.ini"
    for file in (secret, own):
        file.write_text("[uwsgi]\nharakiri = s3cret\n")
    secret.chmod(0o600)
    own.chmod(0o600)
    os.chown(own, NOBODY, -1)
    vassal = paths.act("r1").vassal
    text = f"[uwsgi]\nini = {secret}\nini = {own}\n"
    vassal.write_text(text)
    assert len(includes.read(paths, vassal, text).all("harakiri")) == 2
    os.chown(vassal, NOBODY, -1)
    script = includes.read(paths, vassal, text)
    assert [line.file for line in script.all("harakiri")] == [own.name]
    assert script.lines[0].unread == f"cannot read {secret}: Permission denied"


def test_a_venue_where_everybody_can_write_is_nobodys(place: Path) -> None:
    """Not even root's, if it is /tmp."""
    paths = VenuePaths(place)
    (place / "acts").mkdir()
    elsewhere = place / "elsewhere"
    elsewhere.mkdir()
    paths.act("a1").top.symlink_to(elsewhere)
    env = EnvFile(paths.act("a1"))
    for errand in (partial(trust.refuse_foreign, place), partial(env.set, A="1")):
        with pytest.raises(UnsafeDirectory, match="can be written by everybody"):
            as_user.run_as(NOBODY, errand)
    assert not [*elsewhere.iterdir()]
