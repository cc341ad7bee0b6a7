"""What a Venue runs on: its Python, and its Django beside the one that the library has."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from backstage.doctor import environment
from backstage.layout import made
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


@pytest.mark.parametrize("is_elsewhere", [True, False])
def test_an_interpreter_that_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_elsewhere: bool
) -> None:
    """It is told which release is missing, and whether the Venue came from another host."""
    host = tmp_path / "machine-id"
    host.write_text("here\n")
    monkeypatch.setattr(made, "_MACHINE", host)
    paths = VenuePaths(tmp_path / "venue")
    (paths.top / "bin").mkdir(parents=True)
    (paths.top / "pyvenv.cfg").write_text("home = /opt/python/bin\nversion = 3.11.2\n")
    paths.python.symlink_to("/opt/python/bin/python3.11")
    known = made.here(paths)
    made.write(paths, replace(known, machine="there") if is_elsewhere else known)
    (told,) = environment.environment(paths)
    assert told.subject == "bin/python"
    assert told.remedy
    assert "reinstall the Python 3.11.2 that was in /opt/python/bin" in told.remedy.text
    assert ("was made on another host" in told.what) == is_elsewhere
