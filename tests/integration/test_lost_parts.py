"""Parts of a Venue that somebody has removed: each is told by name, and made again by what is told.

The tests share one Venue: each leaves it complete, with `blog` running and `shop` stopped.
"""

from __future__ import annotations

import json
import re
import shutil
import urllib.request
from pathlib import Path

import pytest

from backstage.act import Act
from backstage.errors import ActFailed, PartLost
from backstage.facts.states import State
from backstage.shortcuts import new_act, new_venue
from backstage.venue import Venue
from tests.patience import PATIENCE

from .calling import call
from .conftest import fetch

pytestmark = pytest.mark.slow
START = "backstage venue start"
AFRESH = "backstage venue stop && backstage venue start"


@pytest.fixture(scope="module")
def whole(stage: Path) -> Venue:
    venue = new_venue("lost", stage)
    new_act(venue, "blog")
    new_act(venue, "shop", start=False)
    return venue


@pytest.fixture
def venue(whole: Venue) -> Venue:
    """The shared Venue, complete, with an Emperor."""
    assert not whole.lost
    whole.start()
    whole["blog"].start()
    assert states(whole) == {"blog": State.RUNNING, "shop": State.STOPPED}
    return whole


def take_away(directory: Path) -> None:
    """Remove a directory at one stroke: the Emperor ends Acts whose files go before it does."""
    away = directory.with_name("away")
    directory.rename(away)
    shutil.rmtree(away)


def states(venue: Venue) -> dict[str, State]:
    return {now.name: now.state for now in venue.snapshot()}


def told(venue: Venue, *words: str) -> tuple[int, str]:
    done = call(*words, cwd=venue.path)
    assert "Traceback" not in done.stderr
    return done.returncode, " ".join((done.stdout + done.stderr).split())


def assert_told(venue: Venue, name: str, command: str) -> None:
    """Status and the doctor name the part and the command."""
    assert [(part.name, part.command) for part in venue.lost] == [(name, command)]
    code, shown = told(venue, "status")
    assert code == 1
    assert f"{name} is lost" in shown
    assert f"type: {command}" in shown
    found = [*venue.examine("blog")]
    lost = [(each.subject, each.command) for each in found if each.check == "lost"]
    assert lost == [(name, command)]
    assert not [each for each in found if "cannot be examined" in each.what]


def assert_refused(act: Act, name: str, *verbs: str) -> None:
    """These are refused before anything is done, and the Act runs on."""
    pid = act.pid
    for verb in verbs:
        with pytest.raises(PartLost) as caught:
            getattr(act, verb)(wait=PATIENCE)
        assert caught.value.part == name
    code, shown = told(Venue(act.paths.venue), verbs[-1], act.name)
    assert code == 1
    assert name in shown
    assert act.pid == pid
    assert fetch(act)[0] == 200


def test_the_vassal_files_while_the_acts_run(venue: Venue) -> None:
    """What the Emperor runs is put back with its date, and runs on undisturbed."""
    blog = venue["blog"]
    text, pid = blog.vassal_text, blog.pid
    take_away(venue.paths.vassals)
    assert_told(venue, "vassals/", START)
    assert_refused(blog, "vassals/", "start", "restart", "stop")
    code, shown = told(venue, "venue", "start")
    assert code == 0
    assert "vassals/ was lost, and is made again" in shown
    assert not venue.lost
    assert (blog.wanted, venue["shop"].wanted) == (True, False)
    venue.emperor.wake()
    venue.emperor.wake()
    assert (blog.vassal_text, blog.pid, blog.state) == (text, pid, State.RUNNING)
    assert "start --all" not in shown
    blog.stop()
    blog.start()


def test_which_acts_were_to_run_may_be_lost(venue: Venue) -> None:
    """Nothing runs any more that would tell."""
    venue.stop()
    take_away(venue.paths.vassals)
    code, shown = told(venue, "venue", "start")
    assert code == 0
    assert shown.endswith("Which Acts were to run is lost; to start all: backstage start --all")
    venue["blog"].start()


def test_the_vassal_files_without_an_emperor(venue: Venue) -> None:
    """Nobody knows any more which Acts were to run: they are stopped, none is lost."""
    venue.stop()
    shutil.rmtree(venue.paths.vassals)
    assert_told(venue, "vassals/", START)
    assert told(venue, "start", "blog")[0] == 1
    venue.start()
    assert states(venue) == dict.fromkeys(("blog", "shop"), State.STOPPED)
    venue["blog"].start()


def test_the_sockets_while_the_acts_run(venue: Venue) -> None:
    blog = venue["blog"]
    shutil.rmtree(venue.paths.run)
    assert_told(venue, "run/", AFRESH)
    assert_refused(blog, "run/", "start", "restart", "stop")
    assert told(venue, "venue", "start")[0] == 1
    venue.stop()
    venue.start()
    blog.wait(State.RUNNING, PATIENCE)
    assert not venue.lost


def test_the_sockets_without_an_emperor(venue: Venue) -> None:
    """As nothing is lost with them, nothing has to be told."""
    venue.stop()
    shutil.rmtree(venue.paths.run)
    assert not venue.lost
    venue["blog"].start()


def test_the_kept_files(venue: Venue) -> None:
    """Those of Acts that are to run are kept again; the others are projects without a file."""
    blog = venue["blog"]
    shutil.rmtree(venue.paths.kept)
    assert_told(venue, "kept/", START)
    assert_refused(blog, "kept/", "start", "restart", "stop")
    venue.start()
    assert blog.paths.kept.read_text() == blog.vassal_text
    assert "shop" not in venue
    blog.stop()
    blog.start()
    new_act(venue, "shop", start=False)


def test_the_vassal_files_and_the_kept_ones(venue: Venue) -> None:
    """No command ends what runs without saying so: what it runs from is nowhere any more."""
    blog = venue["blog"]
    text, pid = blog.vassal_text, blog.pid
    for directory in (venue.paths.vassals, venue.paths.kept):
        take_away(directory)
    code, shown = told(venue, "venue", "start")
    assert code == 1
    assert "kept/blog.ini is lost" in shown
    assert AFRESH in shown
    assert (blog.pid, fetch_port(text)) == (pid, 200)
    venue.paths.kept.mkdir()
    blog.paths.kept.write_text(text)
    venue.start()
    assert (blog.pid, blog.state) == (pid, State.RUNNING)
    new_act(venue, "shop", start=False)


def fetch_port(text: str) -> int:
    port = re.search(r"127\.0\.0\.1:(\d+)", text)
    assert port
    with urllib.request.urlopen(f"http://127.0.0.1:{port[1]}/", timeout=PATIENCE) as answer:
        return int(answer.status)


def test_the_logs(venue: Venue) -> None:
    """The directory is made again by any start: an Act that cannot write its log does not run."""
    shutil.rmtree(venue.paths.log)
    assert_told(venue, "log/", START)
    venue["blog"].restart()
    assert not venue.lost
    assert venue["blog"].paths.log.exists()
    assert venue["blog"].state is State.RUNNING


@pytest.mark.parametrize("name", ["emperor.ini", "templates/launch", "templates/django.ini"])
def test_a_file_that_came_with_the_library(venue: Venue, name: str) -> None:
    file, blog = venue.path / name, venue["blog"]
    text, pid = file.read_bytes(), blog.pid
    file.unlink()
    assert_told(venue, name, "backstage upgrade")
    if name != "emperor.ini":
        assert_refused(blog, name, "start", "restart")
    code, _ = told(venue, "upgrade")
    assert code == 0
    assert (file.read_bytes(), blog.pid) == (text, pid)
    assert not venue.lost


def test_all_templates_and_no_emperor(venue: Venue) -> None:
    venue.stop()
    shutil.rmtree(venue.paths.templates)
    venue.paths.emperor_ini.unlink()
    names = {part.name for part in venue.lost}
    assert {"emperor.ini", "templates/launch", "templates/django.ini"} <= names
    with pytest.raises(PartLost, match="backstage upgrade"):
        venue["blog"].start()
    assert told(venue, "upgrade")[0] == 0
    assert not venue.lost
    venue["blog"].start()


def test_a_project(venue: Venue) -> None:
    """The Act runs on, and what is told is that its project has gone, not what fails without it."""
    blog, away = venue["blog"], venue.path / "away"
    pid = blog.pid
    blog.paths.top.rename(away)
    assert_told(venue, "acts/blog/", "backstage retire blog && backstage new-act blog")
    with pytest.raises(ActFailed, match=r"runs on .*there is no directory .*acts/blog"):
        blog.restart()
    assert blog.pid == pid
    document = json.loads(call("status", "--json", cwd=venue.path).stdout)
    (part,) = document["result"]["lost"]
    assert part["part"] == "acts/blog/"
    away.rename(blog.paths.top)
    blog.restart()
