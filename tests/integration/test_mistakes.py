"""What people type by mistake: nothing is done that was not meant; the answer is what to type."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from backstage.act import Act
from backstage.errors import ActFailed, PortUnavailable
from backstage.facts.states import State
from backstage.layout import host_ports
from backstage.shortcuts import new_act, new_venue, use_venue
from backstage.venue import Venue

from .calling import BACKSTAGE, call, environment, slow_act, terminal

# Its wsgi.py fails in a way that uWSGI logs at length.
BROKEN = "import nowhere_at_all\n"


@pytest.fixture(scope="module")
def act(venue: Venue) -> Act:
    """A running Act of the shared Venue, which no test here changes for good."""
    return new_act(venue, "mistaken")


@pytest.fixture
def template(tmp_path: Path) -> Path:
    """A project template whose application does not load."""
    top = tmp_path / "template"
    package = top / "project_name"
    package.mkdir(parents=True)
    (top / "manage.py").write_text("")
    (package / "__init__.py").write_text("")
    (package / "wsgi.py").write_text(BROKEN)
    (package / "settings.py").write_text("SECRET_KEY = 'x'\nSTATIC_ROOT = 'static'\n")
    return top


def left_of(venue: Venue, name: str) -> set[Path]:
    """Whatever in the Venue has a name that begins with this one."""
    return {path for path in venue.path.rglob("*") if re.match(rf"\.?{name}\b", path.name)}


def advised(message: str) -> list[str]:
    """The words after the program in the line that a message says to type."""
    [line] = re.findall(r"type: (backstage .*)", message)
    return shlex.split(line)[1:]


def test_an_act_that_exists_keeps_its_port(venue: Venue, act: Act, fresh_name: str) -> None:
    """Another one is refused, before anything is done; its own is no mistake."""
    port = act.get_uwsgi_port()
    same = call("new-act", act.name, "--port", str(port), cwd=venue.path)
    assert (same.returncode, f":{port}/" in same.stdout) == (0, True)
    act.stop()
    other = call("new-act", act.name, "--port", str(port + 1), cwd=venue.path)
    assert (other.returncode, other.stdout) == (5, "")
    assert f"Act '{act.name}' exists and has port {port}" in other.stderr
    assert advised(other.stderr) == ["--venue", str(venue.path), "edit", act.name]
    assert (act.state, act.get_uwsgi_port()) == (State.STOPPED, port)
    with pytest.raises(PortUnavailable, match=r"call: act\.rewrite\("):
        new_act(venue, act.name, port=port + 1)
    act.start()


def test_an_act_that_exists_keeps_its_project(venue: Venue, act: Act, template: Path) -> None:
    done = call("new-act", act.name, "--template", template, cwd=venue.path)
    assert done.returncode == 0
    assert done.stderr == f"{act.name} exists and keeps its project: --template is not used\n"


def test_an_act_that_cannot_be_made(venue: Venue, template: Path, fresh_name: str) -> None:
    """The reason is told, not the log; the log is all that is left, until the Act is made."""
    done = call("new-act", fresh_name, "--template", template, cwd=venue.path)
    assert done.returncode == 1
    reason, more = done.stderr.splitlines()
    assert reason.startswith(f"backstage: Act '{fresh_name}' is failing: ModuleNotFoundError: No ")
    log = venue.path / "log" / f"{fresh_name}.failed.log"
    assert more == f"more: less {log}"
    assert "No module named 'nowhere_at_all'" in log.read_text()
    assert log.stat().st_mode & 0o777 == 0o600
    assert left_of(venue, fresh_name) == {log}
    with pytest.raises(ActFailed, match="nowhere_at_all") as caught:
        new_act(venue, fresh_name, template=template)
    assert (caught.value.log, caught.value.log_tail in str(caught.value)) == (log, True)
    told = call("new-act", fresh_name, "--template", template, "--json", cwd=venue.path)
    assert "Traceback" in json.loads(told.stdout)["error"]["message"]
    new_act(venue, fresh_name)
    assert not log.exists()


def test_nobody_is_asked_where_nobody_can_answer(venue: Venue, fresh_name: str) -> None:
    """An Act is not retired then, unless that is said."""
    assert call("new-act", fresh_name, "--no-start", cwd=venue.path).returncode == 0
    for more in ([], ["--json"]):
        asked = call("retire", fresh_name, *more, cwd=venue.path)
        assert asked.returncode == 2
        assert fresh_name in venue
    assert advised(call("retire", fresh_name, cwd=venue.path).stderr) == [
        "retire", fresh_name, "--yes",
    ]  # fmt: skip
    with terminal("retire", fresh_name, cwd=venue.path) as asking:
        asking.await_text("y/N")
        asking.type("n\n")
        assert asking.end() == 130
    assert call("retire", fresh_name, "-y", cwd=venue.path).returncode == 0
    assert fresh_name not in venue


@pytest.mark.slow
def test_where_a_venue_is_made(stage: Path) -> None:
    """By a name, a name that the shell has completed, or a path, all the same."""
    house = stage / "house"
    (house / "sub").mkdir(parents=True)
    (house / "five").mkdir()
    new: list[list[str | Path]]
    new = [["one/"], [house / "two"], ["sub/three"], ["four/", house], ["."]]
    for words in new:
        place = house / "five" if words == ["."] else house
        done = call("new-venue", *words, "--no-start", cwd=place)
        assert done.returncode == 0, done.stderr
    for name in ("one", "two", "sub/three", "four", "five"):
        assert use_venue(house / name).path == house / name
    twice = call("new-venue", house / "six", house, "--no-start", cwd=house)
    assert (twice.returncode, twice.stdout) == (2, "")
    assert f"{house / 'six'} is a whole path; leave out {house}" in twice.stderr
    full = call("new-venue", "sub", cwd=house)
    assert full.returncode == 3
    assert "is not empty, and not a Venue; choose another name or directory" in full.stderr


@pytest.mark.slow
def test_a_started_venue_says_how_its_acts_are(stage: Path, tmp_path: Path) -> None:
    """It waits for them: no Act is told of that has only begun to start."""
    venue = new_venue("begins", stage)
    gate = tmp_path / "gate"
    slow, broken = slow_act(venue, "slow", gate), new_act(venue, "broken", start=False)
    (broken.paths.top / "broken" / "wsgi.py").write_text(BROKEN)
    new_act(venue, "idle", start=False)
    for act in (slow, broken):
        act.start(wait=None)
    venue.stop()
    hasty = call("venue", "start", "--wait", "0", cwd=venue.path)
    assert "Acts     0 of 3 running" in hasty.stdout
    starting = subprocess.Popen(
        [BACKSTAGE, "venue", "start"],
        cwd=venue.path, env=environment(), stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    with starting:
        broken.wait(State.FAILING)
        gate.touch()
        out, _ = starting.communicate()
    assert "Acts     1 of 3 running, 1 failing (see: backstage status)\n" in out
    assert call("venue", "info", "--wait", "1", cwd=venue.path).returncode == 2


def test_one_variable(venue: Venue, act: Act) -> None:
    """`env get` prints the value alone, for scripts; what is missing is told with what is there."""
    act.env.set(SECRET_WORD="hocus", PAIR="a=b")
    for key, value in (("SECRET_WORD", "hocus"), ("PAIR", "a=b")):
        done = call("env", act.name, "get", key, cwd=venue.path)
        assert (done.returncode, done.stdout) == (0, f"{value}\n")
    missing = call("env", act.name, "get", "PEAR", cwd=venue.path)
    assert (missing.returncode, missing.stdout) == (4, "")
    assert "has no 'PEAR'; it has: SECRET_KEY, " in missing.stderr
    for words in ([act.name, "get"], [act.name, "get", "A", "B"], [act.name, "list", "PAIR"]):
        done = call("env", *words, cwd=venue.path)
        assert advised(done.stderr) == ["env", act.name, "get", "KEY"]
    turned = call("env", "get", act.name, "PAIR", cwd=venue.path)
    assert f"the Act comes first; type: backstage env {act.name} get …" in turned.stderr


def test_manage_runs_as_the_act_does(venue: Venue, act: Act, tmp_path: Path) -> None:
    """Its directory, Python and environment are those of the vassal file."""
    elsewhere, home = tmp_path / "project", tmp_path / "env"
    elsewhere.mkdir()
    (home / "bin").mkdir(parents=True)
    (home / "bin" / "python").symlink_to(sys.executable)
    (elsewhere / "manage.py").write_text(
        "import os, sys\nprint(os.getcwd(), sys.argv[1:], os.environ['COLOUR'], "
        "os.environ['VIRTUAL_ENV'], os.environ['PYTHONPATH'], sys.executable, sep='|')\n"
    )
    stopped = new_act(venue, "apart", start=False)
    text = stopped.vassal_text
    lines = [
        *("chdir = " + str(elsewhere), "env = COLOUR=green", f"virtualenv = {home}"),
        "pythonpath = lib",
    ]
    stopped.paths.kept.write_text("\n".join([text.rstrip(), *lines, ""]))
    told = [
        *(str(elsewhere), "['check', '--deploy']", "green", str(home), f"{elsewhere}/lib"),
        f"{home}/bin/python",
    ]
    assert stopped.manage("check", "--deploy").rstrip().split("|") == told
    done = call("manage", "apart", "check", "--deploy", cwd=venue.path)
    assert done.stdout.rstrip().split("|") == told
    (elsewhere / "manage.py").unlink()
    missing = call("manage", "apart", "check", cwd=venue.path)
    assert missing.returncode == 1
    assert f"has no manage.py in {elsewhere}" in missing.stderr


def test_where_there_is_no_venue(tmp_path: Path) -> None:
    """At a shell a command is advised, in Python a call."""
    nowhere = tmp_path / "no where"
    for words, told in (
        (["status"], ["new-venue", "MyVenue"]),
        (["--venue", nowhere, "status"], ["new-venue", str(nowhere)]),
    ):
        done = call(*words, cwd=tmp_path)
        assert done.returncode == 3
        assert advised(done.stderr) == told
        assert "new_venue" not in done.stderr
    half = tmp_path / "half"
    half.mkdir()
    (half / ".building").touch()
    assert advised(call("status", "--venue", half, cwd=tmp_path).stderr) == ["new-venue", str(half)]
    assert os.listdir(tmp_path) == ["half"]


def test_a_venue_without_acts_says_how_to_make_one(stage: Path) -> None:
    venue = new_venue("empty", stage, start=False)
    done = call("port", "blog", cwd=venue.path)
    assert done.returncode == 3
    assert advised(done.stderr) == ["--venue", str(venue.path), "new-act", "blog"]


def test_other_users_are_told_of_a_stopped_act(venue: Venue, act: Act) -> None:
    """Nothing listens at its port, and its vassal file is its owner's alone."""
    port = act.get_uwsgi_port()
    assert port in host_ports.told()
    host_ports.tell(())
    act.stop()
    assert port in host_ports.told()
    act.start()


@pytest.mark.skipif(os.geteuid() != 0, reason="a file of another user needs root")
def test_a_port_of_another_users_stopped_act_is_avoided(venue: Venue, fresh_name: str) -> None:
    first = new_act(venue, fresh_name, start=False)
    port = first.get_uwsgi_port()
    first.retire()
    theirs = Path(os.environ[host_ports.SHARED]) / "django-backstage-ports-4242"
    theirs.write_text(f"{port}\n")
    os.chown(theirs, 4242, 4242)
    try:
        second = new_act(venue, f"{fresh_name}b", start=False)
    finally:
        theirs.unlink()
    assert second.get_uwsgi_port() > port


@pytest.mark.parametrize("there", ["directory", "file"])
def test_what_lies_in_the_place_of_an_act(venue: Venue, fresh_name: str, there: str) -> None:
    """An empty directory is no project of one's own; a file is told of."""
    place = venue.paths.act(fresh_name).top
    if there == "directory":
        place.mkdir()
        assert (new_act(venue, fresh_name).paths.top / "manage.py").exists()
        return
    place.write_text("")
    done = call("new-act", fresh_name, cwd=venue.path)
    assert (done.returncode, place.is_file()) == (1, True)
    assert "there is a file where its project should be" in done.stderr
    assert f"type: mv {place} {place}.away" in done.stderr
    place.unlink()
