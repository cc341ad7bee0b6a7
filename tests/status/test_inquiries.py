"""For which host an Act is asked, whatever it has put in the place of its .env."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from backstage.errors import UnknownUser
from backstage.facts.health import Generation, HealthCheck
from backstage.layout.paths import ActPaths, VenuePaths
from backstage.layout.settings import Settings, read_settings
from backstage.status import inquiries
from backstage.status.inquiries import inquire, question_for
from backstage.system.deadlines import Deadline, until
from tests.patience import PATIENCE


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


@pytest.mark.usefixtures("settings")
def test_a_command_that_others_can_change_is_not_run(act: ActPaths) -> None:
    """Whoever looks at the Act sees it all the same."""
    check = HealthCheck(command="touch ran; exit 0", timeout=PATIENCE)
    generation = Generation("1:1", 0, 0, frozenset())
    act.venue.top.chmod(0o777)
    assert inquire(act, check, generation, None) is None
    act.venue.top.chmod(0o755)
    inquiry = inquire(act, check, generation, None)
    assert inquiry
    with closing(inquiry):
        assert until(lambda: (act.top / "ran").exists(), Deadline(PATIENCE))


def test_an_act_of_a_uid_that_is_no_user_is_not_asked(
    act: ActPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a disk from another machine: nothing is known of whom to run its command as."""

    def unknown(*_: object, **__: object) -> None:
        raise UnknownUser("54321")

    monkeypatch.setattr(inquiries.questions, "ask", unknown)
    nobody = Generation("", 0, 0, frozenset())
    assert inquire(act, HealthCheck(command="true"), nobody, None) is None
