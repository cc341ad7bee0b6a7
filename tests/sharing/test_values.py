"""Values from another user: exactly what is expected, or refused."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backstage.batches import Verb
from backstage.events.event import Event
from backstage.facts.past import Past
from backstage.facts.snapshots import Snapshot
from backstage.facts.states import State
from backstage.sharing.requests import Done, Overview, Request
from backstage.sharing.values import decoded, encoded

PAST = Past(restarts=2, down=0.5, since=1.0)
SNAPSHOT = Snapshot(
    **{"name": "blog", "state": State.FAILING, "since": 3.5, "port": 8001, "pid": None},
    **{"workers": 1, "threads": 4, "busy": 0, "requests": 7, "latency": 0.1, "memory": 5},
    **{"cpu": 0.2, "restarts": 0, "attempts": 3, "next_try": 9.0, "reason": "no module x"},
    past=PAST,
)
EVENT = Event("blog", State.RUNNING, State.STOPPED, 12.5, "its vassal file was removed", 42)
KINDS = (Snapshot, Event, Overview, Done, Request)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@dataclass(frozen=True)
class Sample:
    """One field of each kind."""

    verb: Verb
    many: tuple[int, ...]
    text: str
    share: float
    flag: bool = False
    inner: Past | None = None


def through_json(value: object) -> Any:
    return json.loads(json.dumps(encoded(value)))


@pytest.mark.parametrize("value", [SNAPSHOT, EVENT, Sample(Verb.STOP, (1, 2), "ü", 1.0)])
def test_a_value_comes_out_as_it_went_in(value: object) -> None:
    assert decoded(type(value), through_json(value)) == value


@given(st.sampled_from(KINDS), JSON)
def test_whatever_else_comes_is_refused_with_one_error(kind: type, form: object) -> None:
    with pytest.raises(ValueError, match=r"."):
        decoded(kind, form)


@given(st.sampled_from(["name", "state", "pid", "since", "past", "busy"]), JSON)
def test_a_value_with_one_wrong_field_is_refused_or_has_the_right_type(
    field: str, form: object
) -> None:
    try:
        value = decoded(Snapshot, {**through_json(SNAPSHOT), field: form})
    except ValueError:
        return
    assert encoded(value).keys() == encoded(SNAPSHOT).keys()
    assert type(getattr(value, field)) in {type(None), str, int, float, State, Past}


@pytest.mark.parametrize(
    "wrong",
    [
        {"pid": True},
        {"pid": 2**63},
        {"since": float("nan")},
        {"since": 1e300},
        {"requests": 1.0},
        {"state": ["running"]},
        {"more": 1},
        {"past": {"restarts": 1}},
    ],
)
def test_no_number_is_taken_that_cannot_be_shown(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"."):
        decoded(Snapshot, {**through_json(SNAPSHOT), **wrong})


def test_what_names_something_keeps_its_name_and_all_other_texts_are_veiled() -> None:
    form = encoded(SNAPSHOT, lambda text: "*" * len(text))
    assert (form["name"], form["reason"]) == ("blog", "***********")
