"""The other program of the same name, brought into Venues by requirements and by hand."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

import pytest

from backstage.doctor.finding import Finding, Severity
from backstage.errors import EnvironmentFailed
from backstage.shortcuts import new_venue
from backstage.venue import Venue
from backstage.virtualenvs import namesake
from tests.other_backstage import VERSION, wheel_in

from .conftest import MakeVenue


def found(venue: Venue) -> list[Finding]:
    return [each for each in venue.examine() if each.subject == "django_backstage"]


@pytest.mark.slow
def test_requirements_that_bring_it_make_no_venue(stage: Path, tmp_path: Path) -> None:
    """All or nothing; the message names what to write instead."""
    with pytest.raises(EnvironmentFailed) as caught:
        new_venue("wrong", stage, requirements=[str(wheel_in(tmp_path))])
    assert f"django_backstage {VERSION} is another, older program" in str(caught.value)
    assert str(caught.value).endswith(f"replace `django_backstage` with: {namesake.origin()}")
    assert not (stage / "wrong").exists()


@pytest.mark.slow
def test_an_examination_finds_it_and_says_how_to_be_rid_of_it(
    make_venue: MakeVenue, tmp_path: Path
) -> None:
    venue = make_venue(start=False)
    assert not found(venue)
    pip = [venue.path / "bin" / "pip", "install", "--quiet", "--no-index", wheel_in(tmp_path)]
    subprocess.run(pip, check=True)
    [finding] = found(venue)
    assert finding.severity is Severity.WARNING
    assert finding.what.startswith(f"{VERSION} is another, older program")
    subprocess.run(shlex.split(finding.command), check=True)
    assert not found(venue)
