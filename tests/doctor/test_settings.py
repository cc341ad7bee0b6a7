"""The check of the settings of single Acts."""

from __future__ import annotations

from pathlib import Path

import pytest

from backstage.doctor import settings
from backstage.doctor.finding import Severity
from backstage.errors import SettingsError
from backstage.layout.paths import VenuePaths
from backstage.operations.new_venue import configure
from backstage.status.survey import Survey


def test_settings_of_no_act_are_told_with_their_line(tmp_path: Path) -> None:
    """They may be there before their Act is, so they are valid."""
    paths = VenuePaths(tmp_path)
    configure(paths)
    paths.act("blog").vassal.write_text("[uwsgi]\n")
    paths.settings.write_text("acts:\n  blog: {give_up_after: 3}\n")
    (told,) = settings.examine(Survey(paths))
    assert told.severity is Severity.OK
    paths.settings.write_text("acts:\n  blog: {}\n  blgo: {run_as: www-data}\n  new: {}\n")
    first, second = settings.examine(Survey(paths))
    assert {first.severity, second.severity} == {Severity.WARNING}
    assert (first.subject, first.what) == (
        "venue.yaml",
        "line 3 has settings for 'blgo', but there is no such Act; did you mean 'blog'?",
    )
    assert "line 4 has settings for 'new', but there is no such Act" in second.what


def test_a_file_that_is_no_yaml_is_told_too(tmp_path: Path) -> None:
    paths = VenuePaths(tmp_path)
    configure(paths)
    paths.settings.write_text("acts: [\n")
    with pytest.raises(SettingsError, match="line 2"):
        list(settings.examine(Survey(paths)))
