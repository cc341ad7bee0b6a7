"""Retiring what runs, and bringing it back: an Act, a Venue."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from backstage.act import Act
from backstage.errors import NotAVenue
from backstage.facts.states import State
from backstage.layout import registry
from backstage.nginx import binding
from backstage.nginx.plan import BindRequest
from backstage.shortcuts import new_act, new_venue, rename_act, use_venue
from backstage.uwsgi.health_check import check_of
from backstage.venue import Venue
from tests.own_ports import own_ports
from tests.patience import PATIENCE

from .calling import call
from .conftest import fetch, processes_within
from .serving import PROGRAM, Web

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def venue(stage: Path) -> Venue:
    venue = new_venue("going", stage)
    new_act(venue, "blog")
    return venue


@pytest.fixture(scope="module")
def web(stage: Path) -> Iterator[Web]:
    """The nginx that this process and the commands use."""
    stage.chmod(0o711)
    found = Web(stage / "served", own_ports().take(), own_ports().take())
    found.write_conf()
    with found.running(), pytest.MonkeyPatch.context() as patch:
        for variable, value in found.variables.items():
            patch.setenv(variable, value)
        yield found
    stage.chmod(0o700)


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


@pytest.mark.skipif(PROGRAM is None, reason="nginx is not installed")
def test_a_renamed_act_serves_its_domain(venue: Venue, blog: Act, web: Web) -> None:
    """Its pages, its static files and its health are as before, and nginx has one site of it."""
    binding.bind(blog, BindRequest(domains=("named.test",)))
    port, allowed = blog.get_uwsgi_port(), dict(blog.env)["ALLOWED_HOSTS"]
    done = call("rename", "blog", "shop", cwd=venue.path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"● shop  running    http://localhost:{port}/\n"
    shop = venue["shop"]
    assert "blog" not in venue
    assert dict(shop.env)["ALLOWED_HOSTS"] == allowed
    assert check_of(shop.paths).path == "/readyz"
    assert shop.manage("check")
    for path in ("/", "/static/welcome.css"):
        assert web.ask("named.test", path).status == 200
    assert [each.name for each in web.sites.glob("*-*.conf")] == ["backstage-going-shop.conf"]
    assert [each.site.act for each in binding.bound(venue.paths, web.nginx)] == ["shop"]
    assert rename_act(shop, "blog") == blog
    assert web.ask("named.test").status == 200
    binding.unbind(blog)


def test_an_act_that_would_not_start_again_is_not_renamed(venue: Venue, blog: Act) -> None:
    """It runs on, with the code that it has loaded."""
    settings = blog.paths.top / "blog" / "settings.py"
    text, pid = settings.read_text(), blog.pid
    settings.write_text(f"{text}import nonsense\n")
    done = call("rename", "blog", "shop", cwd=venue.path)
    settings.write_text(text)
    assert done.returncode == 1
    assert "because it would not start again: ModuleNotFoundError" in done.stderr
    assert "--no-check" not in done.stderr
    assert ("shop" in venue, blog.pid, blog.state) == (False, pid, State.RUNNING)


@pytest.mark.skipif(PROGRAM is None, reason="nginx is not installed")
def test_what_nginx_rejects_undoes_the_renaming(venue: Venue, blog: Act, web: Web) -> None:
    binding.bind(blog, BindRequest(domains=("kept.test",)))
    broken = web.sites / "broken.conf"
    broken.write_text("nonsense;\n")
    try:
        done = call("rename", "blog", "shop", cwd=venue.path)
    finally:
        broken.unlink()
    assert done.returncode == 4
    assert "nonsense" in done.stderr
    assert ("shop" in venue, blog.state) == (False, State.RUNNING)
    assert web.ask("kept.test").status == 200
    binding.unbind(blog)


@pytest.mark.skipif(PROGRAM is None, reason="nginx is not installed")
def test_a_venue_that_is_served_comes_back_as_it_was(venue: Venue, blog: Act, web: Web) -> None:
    """Nothing of it is left while it is away: no process, no site, no entry in the register."""
    binding.bind(blog, BindRequest(domains=("going.test",)))
    allowed, port = dict(blog.env)["ALLOWED_HOSTS"], blog.get_uwsgi_port()
    assert web.ask("going.test").status == 200
    assert call("venue", "retire", cwd=venue.path).returncode == 2
    done = call("venue", "retire", "--yes", cwd=venue.path, env={"HOME": str(Path.home())})
    assert (done.returncode, done.stderr) == (0, "")
    goal = Path(done.stdout.splitlines()[0].rpartition(" ")[2])
    assert goal.parent == venue.path.parent
    assert not venue.path.exists()
    assert venue.path not in [*registry.venues()]
    assert not [path for path in web.sites.iterdir() if "going" in path.name]
    assert not processes_within(venue.path) + processes_within(goal)
    with pytest.raises(NotAVenue, match=rf"was retired from {venue.path}; .*unretire {goal}"):
        use_venue(goal)
    done = call("unretire", goal, cwd=goal.parent)
    assert (done.returncode, done.stderr) == (0, "")
    assert not goal.exists()
    assert venue.path in [*registry.venues()]
    blog.wait(State.RUNNING, PATIENCE)
    assert web.ask("going.test").status == 200
    assert (dict(blog.env)["ALLOWED_HOSTS"], blog.get_uwsgi_port()) == (allowed, port)
    binding.unbind(blog)
