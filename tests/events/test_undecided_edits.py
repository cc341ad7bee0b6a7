"""How often the observer looks again at an edit that nothing has been decided about."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from backstage.events.edits import Edit
from backstage.events.observer import Observer
from backstage.status.survey import Survey
from tests import acts_on_disk

pytestmark = acts_on_disk.needs_uwsgi


@pytest.fixture
def observer(tmp_path: Path) -> Iterator[Observer]:
    act = acts_on_disk.with_vassal(tmp_path, 1_500_000_000_000_000_000)
    (tmp_path / "log").mkdir()
    observer = Observer(Survey(act.venue), lambda _: None)
    observer.begin()
    act.vassal.write_text("[uwsgi]\nstrict = true\n")
    yield observer
    observer.close()
    observer.run()


@pytest.mark.parametrize(
    ("edit", "often"),
    [(Edit(undecided=True), True), (Edit(undecided=True, short="No space left"), False)],
    ids=["another call is at work", "a full disk"],
)
def test_an_undecided_edit(
    observer: Observer, monkeypatch: pytest.MonkeyPatch, edit: Edit, often: bool
) -> None:
    """A hundred times a second while a call is at work, but not for as long as a disk is full."""
    monkeypatch.setattr(observer._edits, "settle", lambda *_, **__: edit)
    pause = observer._settle("blog")
    assert 0 < pause < 0.1 if often else pause >= 1
