"""What an observer remembers, with no Emperor."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from backstage.events import observer
from backstage.events.event import Event
from backstage.events.observer import Observer
from backstage.facts.states import State
from backstage.layout.paths import VenuePaths
from backstage.status.survey import Survey
from backstage.system.deadlines import Deadline, until
from tests.patience import PATIENCE

TEXT = "[uwsgi]\nhttp-socket = 127.0.0.1:1\n"


@pytest.fixture
def paths(tmp_path: Path) -> VenuePaths:
    """A Venue with two Acts, one of which is wanted."""
    paths = VenuePaths(tmp_path)
    for directory in (paths.run, paths.log, paths.vassals, paths.kept):
        directory.mkdir()
    paths.settings.touch()
    for path in (paths.act("api").kept, paths.act("blog").kept, paths.act("blog").vassal):
        path.write_text(TEXT)
    return paths


def remembered(thing: object, name: str, depth: int = 3) -> Iterator[str]:
    """The attributes of ours, and of what is in them, that are by this name."""
    for key, value in vars(thing).items():
        if isinstance(value, dict | set) and name in value:
            yield f"{type(thing).__name__}.{key}"
        elif depth and type(value).__module__.startswith("backstage."):
            yield from remembered(value, name, depth - 1)


def test_nothing_is_remembered_about_an_act_that_was_retired(
    paths: VenuePaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(observer, "_SEARCH", 0.05)
    events: list[Event] = []
    one = Observer(Survey(paths), events.append)
    one.begin()
    thread = threading.Thread(target=one.run)
    thread.start()
    try:
        assert [*remembered(one, "blog")]
        paths.act("blog").vassal.unlink()
        assert until(lambda: State.STOPPED in {each.after for each in events}, Deadline(PATIENCE))
        assert "History._last" in remembered(one, "blog")
        paths.act("blog").kept.unlink()
        assert until(lambda: not [*remembered(one, "blog")], Deadline(PATIENCE)), [
            *remembered(one, "blog")
        ]
        assert "History._last" in remembered(one, "api")
    finally:
        one.close()
        thread.join(PATIENCE)
    assert not thread.is_alive()
