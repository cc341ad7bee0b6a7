"""What is gathered to explain the states of Acts."""

from __future__ import annotations

from pathlib import Path

import pytest

from backstage.events import reasons
from backstage.events.reasons import Reasons
from backstage.facts.states import State
from backstage.layout.paths import VenuePaths
from backstage.status.survey import Survey


def test_a_process_that_is_known_to_have_ended_is_named_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its end may be seen by a look before the kernel's notice of it is read."""
    monkeypatch.setattr(reasons, "_WORDS", 0.0)
    paths = VenuePaths(tmp_path)
    paths.vassals.mkdir()
    gathered = Reasons(paths)
    gathered.ended("blog", 812)
    gathered.ended("blog", 812)
    look = Survey(paths).look("blog")
    assert gathered.reason(look, State.STARTING, State.RUNNING) == "process 812 has ended"
