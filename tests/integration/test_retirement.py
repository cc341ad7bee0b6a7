"""Retiring what runs, and bringing it back: an Act, a Venue."""

from __future__ import annotations

from pathlib import Path

import pytest

from backstage.act import Act
from backstage.facts.states import State
from backstage.shortcuts import new_act, new_venue
from backstage.venue import Venue
from tests.patience import PATIENCE

from .calling import call
from .conftest import fetch

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def venue(stage: Path) -> Venue:
    venue = new_venue("going", stage)
    new_act(venue, "blog")
    return venue


@pytest.fixture
def blog(venue: Venue) -> Act:
    venue["blog"].wait(State.RUNNING, PATIENCE)
    return venue["blog"]


def test_an_act_that_ran_runs_again(venue: Venue, blog: Act) -> None:
    """With its data, its log and its port; one that was stopped stays so."""
    port, secret = blog.get_uwsgi_port(), dict(blog.env)["SECRET_KEY"]
    fetch(blog, "before")
    assert call("retire", "blog", "--yes", cwd=venue.path).returncode == 0
    done = call("unretire", "blog", cwd=venue.path)
    assert (done.returncode, done.stderr) == (0, "")
    assert blog.state is State.RUNNING
    assert (blog.get_uwsgi_port(), dict(blog.env)["SECRET_KEY"]) == (port, secret)
    assert fetch(blog)[0] == 200
    assert "GET /before" in blog.log_tail(1000)
    blog.stop()
    blog.retire()
    assert call("unretire", "blog", cwd=venue.path).returncode == 0
    assert blog.state is State.STOPPED
    blog.start()
