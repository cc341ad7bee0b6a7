"""What a new Venue is told by the surroundings that it is made in."""

from __future__ import annotations

from pathlib import Path

import pytest

from backstage.errors import SettingsError
from backstage.layout.paths import VenuePaths
from backstage.layout.settings import read_settings
from backstage.operations.new_venue import PORTS, configure


@pytest.mark.parametrize(
    ("named", "ports"),
    [("", range(8001, 9000)), ("9000-9010", range(9000, 9011))],
)
def test_it_writes_down_the_range_of_ports_of_the_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: str, ports: range
) -> None:
    """So that it keeps to it also where the variable is not set."""
    monkeypatch.setenv(PORTS, named)
    configure(VenuePaths(tmp_path))
    monkeypatch.delenv(PORTS)
    assert read_settings(tmp_path / "venue.yaml").ports == ports


def test_a_range_that_cannot_be_meant_is_told_with_its_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PORTS, "80-90")
    with pytest.raises(
        SettingsError, match=r"^BACKSTAGE_PORTS: ports 80-90 is not an ascending range"
    ):
        configure(VenuePaths(tmp_path))
    assert not list(tmp_path.iterdir())
