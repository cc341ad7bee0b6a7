"""A Venue's Django beside the one that the library has."""

from __future__ import annotations

from pathlib import Path

import pytest

from backstage.doctor import environment
from backstage.layout.paths import VenuePaths


@pytest.mark.parametrize(
    ("present", "own", "series"),
    [
        *(("6.0", "6.0.2", "6.0"), ("6.0rc1", "6.0", "6.0"), ("6.0a1", "6.0rc1", "6.0")),
        *(("6.0.2", "6.0.2", ""), ("6.0.2", "6.0", ""), ("6.0", "6.0rc1", "")),
        *(("5.2.1", "6.0.2", ""), ("6.0rc1", "6.1", "")),
    ],
)
def test_a_newer_release_of_the_same_series(
    tmp_path: Path, present: str, own: str, series: str
) -> None:
    """Candidates come before the release; what is of another series is a choice."""
    found = list(environment.outdated(VenuePaths(tmp_path), present, own))
    assert [f"'Django=={series}.*'" in each.command for each in found] == [True] * bool(series)
