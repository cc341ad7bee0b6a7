"""Law 5: what a killed process leaves half made, the next call completes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from backstage.act import Act
from backstage.errors import NotAVenue
from backstage.facts.states import State
from backstage.shortcuts import new_act, new_venue, use_venue
from backstage.system.deadlines import Deadline, until
from backstage.venue import Venue
from tests.patience import PATIENCE

from .calling import call
from .conftest import fetch, processes_within

pytestmark = pytest.mark.slow

VENUE = "import sys; from backstage.shortcuts import *; new_venue(sys.argv[1], sys.argv[2])"
ACT = "import sys; from backstage.shortcuts import *; new_act(use_venue(sys.argv[2]), sys.argv[1])"

OWN = """\
def application(environ, start_response):
    start_response('200 OK', [])
    return [b'mine']
"""

# Killed before the new project has got its database.
ACT_KILLED = f"""
import os
from backstage.operations import new_act
new_act.scaffold.preparing = lambda *_, **__: os.kill(os.getpid(), 9)
{ACT.replace("; ", chr(10))}
"""

# As parts of the time that the whole call takes.
MOMENTS = (0.15, 0.35, 0.5, 0.65, 0.8, 0.95)


def duration(code: str, name: str, place: Path) -> float:
    begin = time.monotonic()
    subprocess.run([sys.executable, "-c", code, name, str(place)], check=True)
    return time.monotonic() - begin


def kill_in_the_middle(code: str, name: str, place: Path, seconds: float) -> None:
    """Kill the calling Python, and nothing else, after some time."""
    victim = subprocess.Popen([sys.executable, "-c", code, name, str(place)])
    time.sleep(seconds)
    os.kill(victim.pid, signal.SIGKILL)
    victim.wait()


@pytest.fixture(scope="module")
def venue_duration(stage: Path) -> float:
    return duration(VENUE, "k_measured", stage)


@pytest.fixture(scope="module")
def act_duration(venue: Venue) -> float:
    return duration(ACT, "k_measured", venue.path)


@pytest.mark.parametrize("moment", MOMENTS)
def test_new_venue(stage: Path, venue_duration: float, moment: float) -> None:
    name = f"k{moment * 100:.0f}"
    kill_in_the_middle(VENUE, name, stage, venue_duration * moment)
    if (stage / name / ".building").exists():
        with pytest.raises(NotAVenue, match="half-built Venue; to finish it, call: new_venue"):
            use_venue(stage / name)
    venue = new_venue(name, stage)
    act = new_act(venue, "blog")
    assert fetch(act)[0] == 200
    assert not (venue.path / ".building").exists()
    venue.stop()
    assert not processes_within(venue.path)


@pytest.mark.parametrize("moment", MOMENTS)
def test_new_act(venue: Venue, act_duration: float, moment: float) -> None:
    name = f"k{moment * 100:.0f}"
    kill_in_the_middle(ACT, name, venue.path, act_duration * moment)
    act = new_act(venue, name)
    assert act.state is State.RUNNING
    assert fetch(act)[0] == 200
    assert fetch(act, "readyz")[0] == 200
    assert fetch(act, "static/admin/css/base.css")[0] == 200
    assert not list(venue.paths.acts.glob(".*"))
    assert not act.paths.preparing.exists()
    act.retire()


def leads_to_its_completion(act: Act) -> None:
    """Whatever fails because it is not complete is not told, nor is a page of it asked for."""
    command = f"backstage --venue {act.paths.venue.top} new-act {act.name}"
    reason = f"it is being made; if that was cut short, type: {command}"
    act.start(wait=None)
    act.wait("running")
    assert act.snapshot().reason == reason
    assert "/readyz" not in act.paths.log.read_text()
    act.stop()
    assert reason in call("status", act.name, cwd=act.paths.venue.top).stdout
    told = json.loads(call("doctor", act.name, "--json", cwd=act.paths.venue.top).stdout)
    found = [each for each in told["result"]["findings"] if each["subject"] == act.name]
    assert [each["command"] for each in found] == [f"backstage new-act {act.name}"]
    assert [each["what"] for each in found] == ["is an Act that was not completely made"]


@pytest.mark.parametrize("between", ["nothing", "retire", "replace", "copy"])
def test_a_project_of_the_users_own_is_never_taken_for_a_half_made_one(
    venue: Venue, between: str
) -> None:
    """What the killed call has made is made anew; whatever else is there by then stays."""
    name = f"k_{between}"
    killed = subprocess.run([sys.executable, "-c", ACT_KILLED, name, str(venue.path)])
    assert killed.returncode == -signal.SIGKILL
    project, other = venue.paths.acts / name, venue.path / f"{name}_other"
    wsgi = project / name / "wsgi.py"
    assert venue.paths.act(name).preparing.exists()
    if between == "nothing":
        leads_to_its_completion(venue[name])
    if between == "retire":
        retired = venue[name].retire()
        assert not venue.paths.act(name).preparing.exists()
        (retired / name).rename(project)
    elif between == "replace":
        project.rename(other)
        wsgi.parent.mkdir(parents=True)
    elif between == "copy":
        project.rename(other)
        shutil.copytree(other, project)
    wsgi.write_text(OWN)
    act = new_act(venue, name)
    assert (wsgi.read_text() == OWN) == (between != "nothing")
    assert (fetch(act) == (200, "mine")) == (between != "nothing")
    assert not act.paths.preparing.exists()
    act.retire()


def test_interrupting_leaves_nothing(stage: Path) -> None:
    """Ctrl-C is an error like any other: what was made is taken back."""
    victim = subprocess.Popen(
        [sys.executable, "-c", VENUE, "interrupted", str(stage)], stderr=subprocess.PIPE, text=True
    )
    assert until((stage / "interrupted" / "pyvenv.cfg").exists, Deadline(PATIENCE))
    victim.send_signal(signal.SIGINT)
    assert "KeyboardInterrupt" in victim.communicate(timeout=PATIENCE)[1]
    assert not (stage / "interrupted").exists()
    assert not processes_within(stage / "interrupted")


def test_a_copy_of_a_project_runs_with_the_package_that_it_has(venue: Venue) -> None:
    first = new_act(venue, "first")
    shutil.copytree(first.paths.top, venue.paths.acts / "second")
    second = new_act(venue, "second")
    assert fetch(second)[0] == 200
    assert second.vassal_text.endswith("\nmodule = first.wsgi:application\n")
    assert second.get_uwsgi_port() != first.get_uwsgi_port()
    for act in (first, second):
        act.retire()
