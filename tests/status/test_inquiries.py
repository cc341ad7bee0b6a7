"""For which host an Act is asked, whatever it has put in the place of its .env."""

from __future__ import annotations

from pathlib import Path

import pytest

from backstage.errors import UnknownUser
from backstage.facts.health import Generation, HealthCheck
from backstage.layout.paths import ActPaths, VenuePaths
from backstage.layout.settings import Settings, read_settings
from backstage.status import inquiries
from backstage.status.inquiries import inquire, question_for


@pytest.fixture
def act(tmp_path: Path) -> ActPaths:
    paths = VenuePaths(tmp_path).act("blog")
    paths.top.mkdir(parents=True)
    return paths


@pytest.fixture
def settings(act: ActPaths) -> Settings:
    act.venue.settings.write_text("acts: {blog: {health: /up}}\n")
    return read_settings(act.venue.settings)


def test_a_host_that_the_act_allows_is_asked_for(act: ActPaths, settings: Settings) -> None:
    act.env_file.write_text("ALLOWED_HOSTS=.example.org,blog.example.org\n")
    assert question_for(act, settings).host == "blog.example.org"


def test_a_directory_instead_of_env_allows_no_host(act: ActPaths, settings: Settings) -> None:
    act.env_file.mkdir()
    assert question_for(act, settings).host == "localhost"


def test_an_act_of_a_uid_that_is_no_user_is_not_asked(
    act: ActPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a disk from another machine: nothing is known of whom to run its command as."""

    def unknown(*_: object, **__: object) -> None:
        raise UnknownUser("54321")

    monkeypatch.setattr(inquiries.questions, "ask", unknown)
    nobody = Generation("", 0, 0, frozenset())
    assert inquire(act, HealthCheck(command="true"), nobody, None) is None
