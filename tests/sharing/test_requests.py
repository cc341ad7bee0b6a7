"""Requests of the group: only what is known, within bounds."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backstage.batches import Verb
from backstage.errors import BackstageError
from backstage.sharing import requests
from backstage.sharing.requests import Ask, Request

RESTART = Request(ask=Ask.EACH, venue="/srv/V", verb=Verb.RESTART, names=("blog",), wait=3.0)


def line(**changes: object) -> bytes:
    return json.dumps({**json.loads(requests.line_of_request(RESTART)), **changes}).encode()


def test_a_request_is_understood() -> None:
    assert requests.request_of(requests.line_of_request(RESTART)) == RESTART


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"version": 2}, "another version"),
        ({"version": None}, "another version"),
        ({"ask": "shell"}, "no request"),
        ({"verb": "rm"}, "no request"),
        ({"command": "id"}, "no request"),
        ({"wait": 601}, "at most 600 s"),
        ({"wait": -1}, "at most 600 s"),
        ({"drain": 61}, "60 s"),
        ({"wait": float("nan")}, "no request"),
        ({"wait": float("inf")}, "no request"),
        ({"names": "blog"}, "no request"),
        ({"names": [["blog"]]}, "no request"),
    ],
)
def test_what_is_out_of_bounds_is_refused(changes: dict[str, object], why: str) -> None:
    with pytest.raises(BackstageError, match=why):
        requests.request_of(line(**changes))


@given(st.binary())
def test_whatever_bytes_come_the_error_is_ours(sent: bytes) -> None:
    with pytest.raises(BackstageError):
        requests.request_of(sent)


def test_depth_is_no_way_to_break_it() -> None:
    with pytest.raises(BackstageError):
        requests.request_of(b"[" * requests.LONGEST_REQUEST)
