"""Venues in directories whose names have signs that programs like to split or misread."""

from __future__ import annotations

from pathlib import Path

import pytest

from backstage.act import Act
from backstage.facts.states import State
from backstage.shortcuts import new_act, new_venue
from backstage.system.deadlines import Deadline, until
from backstage.uwsgi import loaded
from tests.patience import PATIENCE

from .conftest import fetch

pytestmark = pytest.mark.slow


def reads_its_record_anew(act: Act) -> None:
    """A reload by the Emperor alone: the record is withdrawn, then written again."""
    before = loaded.record(act.paths, act.pid or 0)
    assert before
    assert before.digests
    assert not before.withdrawn
    act.rewrite(f"{act.vassal_text}harakiri = 50\n", based_on=act.vassal_text)
    act.restart()
    assert until(lambda: act.snapshot().untaken is None, Deadline(PATIENCE))
    after = loaded.record(act.paths, act.pid or 0)
    assert after
    assert after.at > before.at


@pytest.mark.parametrize("odd", ["Max Muster", "a, b=c@d", "Büro ü", "日本"])
def test_an_act_touches_only_files_of_its_venue(stage: Path, odd: str) -> None:
    """uWSGI's hooks split their argument at the first space."""
    parent = stage / odd
    parent.mkdir()
    foreign = stage / odd.split()[0]
    if foreign != parent:
        foreign.write_text("letters\n")
    venue = new_venue("V", parent)
    act = new_act(venue, "blog")
    assert fetch(act)[0] == 200
    reads_its_record_anew(act)
    act.restart()
    act.stop()
    assert act.state is State.STOPPED
    assert act.paths.loaded.read_bytes() == b""
    if foreign != parent:
        assert foreign.read_text() == "letters\n"
    venue.stop()
