"""An Act that fails too often in a row is stopped, if venue.yaml says so and somebody watches."""

from __future__ import annotations

import re

import pytest

from backstage.act import Act
from backstage.errors import ActFailed
from backstage.facts.states import State
from backstage.shortcuts import new_act, use_venue
from backstage.system.deadlines import Deadline, until
from backstage.uwsgi import tries
from backstage.venue import Venue
from tests.patience import PATIENCE

from .conftest import MakeVenue
from .listening import Listener

# The test itself reads the events, so that it knows when they are seen.
SETTINGS = "watcher: off\ngive_up_after: 4\nacts:\n  stubborn: {give_up_after: never}\n"


def breaks(act: Act, code: str) -> None:
    (act.paths.top / act.name / "wsgi.py").write_text(code)


def given_up(venue: Venue, act: Act) -> str:
    """What the event says when the Act is given up; a start and another watcher come between."""
    with venue.events() as stream:
        listener = Listener(act, stream, State.STOPPED)
        with pytest.raises(ActFailed):
            act.start()
        listener.until(State.FAILING)
        assert until(lambda: count(act) >= 2, Deadline(PATIENCE))
    venue["other"].restart()
    with use_venue(venue.path) as again, again.events(timeout=PATIENCE) as stream:
        ends = (each for each in stream if each.act == act.name and each.after is State.STOPPED)
        return next(ends).reason


def count(act: Act) -> int:
    known = tries.recorded(act.paths)
    return known.count if known else 0


@pytest.mark.slow
def test_an_act_that_fails_too_often_is_stopped_and_says_so(make_venue: MakeVenue) -> None:
    venue = make_venue(start=False)
    venue.paths.settings.write_text(f"{venue.paths.settings.read_text()}{SETTINGS}")
    venue.start()
    new_act(venue, "other")
    act, stubborn = (new_act(venue, name) for name in ("blog", "stubborn"))
    breaks(act, "raise RuntimeError('broken on purpose')\n")
    breaks(stubborn, "raise RuntimeError('broken on purpose')\n")
    act.stop()
    comment = "; a line by hand\n"
    act.paths.kept.write_text(act.paths.kept.read_text() + comment)
    with pytest.raises(ActFailed):
        stubborn.restart()
    reason = given_up(venue, act)
    assert reason.startswith("gave up after 4 tries: RuntimeError: broken on purpose (")
    assert (act.state, act.wanted, act.snapshot().reason) == (State.STOPPED, False, reason)
    assert venue.snapshot()[0].reason == reason
    assert comment in act.paths.kept.read_text()
    assert stubborn.wanted
    # The end of the Emperor, and of the record's reader, changes nothing.
    venue.stop()
    venue.start()
    assert act.snapshot().reason == reason
    # A start begins anew, and so does an edit by hand.
    with pytest.raises(ActFailed, match="RuntimeError"):
        act.start()
    assert count(act) < 4
    with venue.events():
        assert until(lambda: count(act) >= 2, Deadline(PATIENCE))
        act.paths.vassal.write_text(f"{act.paths.vassal.read_text()}; again\n")
        assert tries.so_far(act.paths).count == 0
        breaks(act, "import os\nos._exit(3)\n")
        # Its master lives, and starts worker after worker.
        act.wait(State.STOPPED, PATIENCE)
    # Two may have died between two looks.
    last = re.match(r"gave up after (\d+) tries: worker 1 \(pid ", act.snapshot().reason)
    assert last
    assert int(last[1]) >= 4
    act.paths.vassal.write_text(act.paths.kept.read_text())
    breaks(act, "def application(environ, start):\n    start('200 OK', [])\n    return [b'']\n")
    with venue.events():
        act.wait(State.RUNNING, PATIENCE)
        assert until(lambda: not act.paths.tries.exists(), Deadline(PATIENCE))
    act.stop()
    assert act.snapshot().reason == ""
