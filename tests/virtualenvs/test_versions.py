"""Versions as packaging reads them: releases, candidates and local builds."""

from __future__ import annotations

import pytest

from backstage.virtualenvs.versions import is_older, series_of


@pytest.mark.parametrize(
    ("version", "series"),
    [("6.0", "6.0"), ("6.0.2", "6.0"), ("6.0rc1", "6.0"), ("6.1b1", "6.1"), ("5.2.1+ours", "5.2")],
)
def test_the_series_of_a_version(version: str, series: str) -> None:
    assert str(series_of(version)) == series


def test_series_are_in_order() -> None:
    """The order is numeric, not alphabetic."""
    assert series_of("5.2.9") < series_of("6.0rc1") == series_of("6.0.2") < series_of("6.10")


@pytest.mark.parametrize(
    ("older", "newer"), [("6.0rc1", "6.0"), ("6.0a1", "6.0b1"), ("5.2.9", "5.2.10"), ("5.2", "6.0")]
)
def test_the_older_of_two(older: str, newer: str) -> None:
    assert is_older(older, newer)
    assert not is_older(newer, older)
    assert not is_older(older, older)
