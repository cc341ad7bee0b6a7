"""Another user of the machine, and states that come while a Venue runs: told, and nothing ends."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from backstage.act import Act
from backstage.facts.states import State
from backstage.shortcuts import new_act
from backstage.system import users
from backstage.venue import Venue
from tests.cli import calls
from tests.cli.calls import NOBODY, Call

pytestmark = pytest.mark.slow

CALLS = (
    *("status", "status --json", "start blog", "stop blog", "restart blog", "port blog"),
    *("url blog", "logs blog", "logs --emperor", "events --since 1d", "new-act more"),
    *("retire blog --yes", "venue stop", "venue start", "venue info", "doctor", "edit blog"),
    *("env blog", "manage blog check", "top", "drain blog", "nginx show", "systemd status"),
)


@pytest.fixture(scope="module")
def blog(venue: Venue) -> Iterator[Act]:
    calls.load_everything()
    act = new_act(venue, "strange")
    yield act
    act.retire()


@pytest.fixture
def reachable(venue: Venue) -> Iterator[Path]:
    """The Venue where other users may come by."""
    above = venue.path.parent
    above.chmod(0o755)
    yield venue.path
    above.chmod(0o700)


def call(venue: Venue, command: str, user: int | None = None) -> Call:
    words = ["--venue", str(venue.path), *command.replace("blog", "strange").split()]
    env = {**os.environ, "EDITOR": "true", "XDG_RUNTIME_DIR": "/nonexistent"}
    return calls.call(words, cwd=Path("/"), env=env, user=user)


@pytest.mark.skipif(os.geteuid() != 0, reason="becoming another user needs root")
def test_another_user_can_do_nothing_and_is_told_whose_it_is(
    venue: Venue, blog: Act, reachable: Path
) -> None:
    if why := calls.why_not_as_nobody():
        pytest.skip(why)
    emperor, pid = venue.emperor.pid, blog.pid
    for command in CALLS:
        done = call(venue, command, NOBODY)
        told = done.out if "--json" in command else done.err
        assert (done.code, "Traceback" in done.err) == (6, False), done
        assert f"{venue.path} belongs to root" in told
        words = command.replace("blog", "strange")
        assert f"Type: sudo -u root {users.program()} --venue {venue.path} {words}" in told
    assert (venue.emperor.pid, blog.pid, blog.state) == (emperor, pid, State.RUNNING)


def test_what_is_broken_while_it_runs_ends_nothing(venue: Venue, blog: Act) -> None:
    """A link to itself in the place of what an Act has in run/, and a directory in a log's."""
    emperor, pid, paths = venue.emperor.pid, blog.pid, blog.paths
    (venue.paths.run / "strange.tries").symlink_to("strange.tries")
    (venue.paths.run / "strange.health").unlink(missing_ok=True)
    (venue.paths.run / "strange.health").mkdir()
    rotated = paths.log.with_name(f"{paths.log.name}.1")
    rotated.mkdir()
    for command in ("status", "logs blog", "doctor blog", "top --json", "port blog", "venue info"):
        done = call(venue, command)
        assert done.code in {0, 1}, done
        assert "Traceback" not in done.err
    (venue.paths.run / "strange.tries").unlink()
    (venue.paths.run / "strange.health").rmdir()
    rotated.rmdir()
    assert (venue.emperor.pid, blog.pid, blog.state) == (emperor, pid, State.RUNNING)
