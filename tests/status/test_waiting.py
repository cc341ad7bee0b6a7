"""Waiting for an Act, seen from its files."""

from __future__ import annotations

from pathlib import Path

import pytest

from backstage.layout.paths import VenuePaths
from backstage.status.evidence import BEGINNING
from backstage.status.survey import Survey
from backstage.status.waiting import Waiter
from backstage.system.deadlines import Deadline
from tests.patience import PATIENCE


@pytest.mark.parametrize("line", ["https = 127.0.0.1:8001,a,b", "attach-daemon2 = cmd=worker"])
def test_the_health_of_an_act_that_can_be_asked_nowhere_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    """Although it has a health path, as when only the socket of a scaffolded Act was changed."""
    venue = VenuePaths(tmp_path)
    for directory in (venue.vassals, venue.run):
        directory.mkdir()
    venue.settings.write_text("ports: 8001-8999\n")
    act = venue.act("blog")
    act.vassal.write_text(f"[uwsgi]\n{line}\nset-placeholder = health=/readyz\n")
    waiter = Waiter(act, Survey(venue))

    def look() -> None:
        pytest.fail("it waits")

    monkeypatch.setattr(waiter, "glance", look)
    waiter.await_health(Deadline(PATIENCE), BEGINNING)
