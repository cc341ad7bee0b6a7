"""The records of an Act in files that others may have written: read, or taken for none."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backstage.events import lines
from backstage.events.event import Event
from backstage.facts.faults import Fault
from backstage.facts.health import Generation, HealthRecord
from backstage.facts.past import Tally
from backstage.facts.states import State
from backstage.layout.paths import ActPaths, VenuePaths
from backstage.operations.new_venue import configure
from backstage.status import health_records, tallies
from backstage.uwsgi import loaded, tries, vassal_files
from backstage.uwsgi.tries import Tries
from tests.mutations import mutated

NOW = Generation("7:1.0", 1, 1, frozenset({"8:1.0"}))
HEALTH = HealthRecord(generation=NOW, at=1.0, since=1.0, ok=False, why="503", asked=2)
TALLY = Tally(1.0, 2.0, State.RUNNING, 7, True, 1, {3: (1, 2.0)})
EVENT = Event("blog", State.RUNNING, State.FAILING, 1.0, "why", 7)
FAULT = Fault("vassals/blog.ini", 2, "threads", "no number", "write one")
Reader = Callable[[ActPaths], object]


@pytest.fixture(scope="module")
def blog(tmp_path_factory: pytest.TempPathFactory) -> ActPaths:
    """An Act with each of its records written."""
    paths = VenuePaths(tmp_path_factory.mktemp("venue"))
    configure(paths)
    paths.run.mkdir(exist_ok=True)
    act = paths.act("blog")
    act.vassal.write_text("[uwsgi]\n")
    paths.past.mkdir(parents=True, exist_ok=True)
    health_records.write(act, HEALTH)
    tallies.write(act, TALLY)
    tries.record(act, Tries(vassal_files.version(act), 3, 2, 1.0, 8, "no module"))
    present = vassal_files.version(act)
    assert present
    vassal_files.refuse(act, present, FAULT)
    return act


READERS: list[tuple[str, Reader]] = [
    ("health", lambda act: health_records.read(act, NOW)),
    ("past", tallies.read),
    ("tries", tries.recorded),
    ("refused", vassal_files.refusal),
]


@pytest.mark.parametrize(("name", "read"), READERS)
def test_whatever_a_record_holds_it_is_whole_or_none(
    blog: ActPaths, name: str, read: Reader
) -> None:
    """What is read can be shown, counted and written again: no NaN, no text for a number."""
    path: Path = getattr(blog, name)
    written, known = path.read_text(), read(blog)
    assert known is not None

    @settings(max_examples=150, suppress_health_check=[HealthCheck.differing_executors])
    @given(st.data())
    def check(data: st.DataObject) -> None:
        path.write_text(json.dumps(mutated(data.draw, json.loads(written))))
        found = read(blog)
        if found is not None:
            assert_whole(found, known)

    check()
    path.write_text(written)


@pytest.mark.parametrize(("name", "read"), READERS)
@pytest.mark.parametrize("number", ["NaN", "Infinity", "-1", "1e300", "9" * 5000, '"7"', "true"])
def test_what_is_no_number_is_none(blog: ActPaths, name: str, read: Reader, number: str) -> None:
    """In each place of a record where a number belongs."""
    path: Path = getattr(blog, name)
    written = path.read_text()
    document = json.loads(written)
    places = [key for key, value in document.items() if type(value) in {int, float}]
    for key in places:
        path.write_text(json.dumps({**document, key: "HERE"}).replace('"HERE"', number))
        assert read(blog) is None, key
    path.write_text(written)


@given(st.data())
def test_whatever_a_line_of_the_history_is_it_is_an_event_or_none(data: st.DataObject) -> None:
    document = json.loads(lines.line_of(EVENT))
    found = lines.event_of(json.dumps(mutated(data.draw, document)))
    if found is not None:
        assert_whole(found, EVENT)


def test_a_record_of_loaded_files_may_name_what_is_no_path(blog: ActPaths) -> None:
    blog.own_run.mkdir()
    try:
        blog.loaded.write_text(f"7\nabc  {blog.vassal}\nabc  {blog.venue.templates}/a\0b\n")
        known = loaded.record(blog, 7)
        assert known is not None
        untaken = loaded.untaken(blog, known)
        assert untaken is not None
        assert untaken.is_own
        gone = replace(known, digests={f"{blog.venue.templates}/a\0b": "abc"})
        assert loaded.untaken(blog, gone) is not None
    finally:
        blog.loaded.unlink()
        blog.own_run.rmdir()


def assert_whole(found: Any, known: Any) -> None:
    json.dumps(asdict(found), default=str, allow_nan=False)
    for name, value in vars(known).items():
        got = getattr(found, name)
        assert got is None or value is None or type(got) is type(value), name
