"""Sending a notice, through the Venue's own copies, to a webhook, by mail, and to commands."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from backstage.facts.notices import Kind, Notice, Target
from backstage.layout.paths import VenuePaths
from backstage.system import processes, users
from backstage.system.deadlines import Deadline, until
from backstage.virtualenvs import apprise_copy, private_copy
from backstage.watcher import sending
from backstage.watcher.sending import Sending
from tests.patience import PATIENCE

from .receiving import Hook, Mailbox, hook, mailbox

pytestmark = pytest.mark.slow

NOTICE = Notice(
    kind=Kind.TROUBLE,
    venue="/v",
    at=5.0,
    act="blog",
    state="failing",
    since=1.0,
    reason="*no* module <b> $(touch evil) ü",
)


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> VenuePaths:
    """A Venue without an Emperor, with what its watcher would send with."""
    paths = VenuePaths(tmp_path_factory.mktemp("venue"))
    paths.python.parent.mkdir()
    paths.python.symlink_to(sys.executable)
    paths.settings.touch(mode=0o600)
    private_copy.make(paths)
    apprise_copy.provide(paths)
    return paths


@pytest.fixture(scope="module")
def web() -> Iterator[Hook]:
    with hook() as one:
        yield one


@pytest.fixture(scope="module")
def mail() -> Iterator[tuple[Mailbox, str]]:
    with mailbox() as both:
        yield both


def sent(paths: VenuePaths, *targets: Target, notice: Notice = NOTICE) -> list[str]:
    """The error of each target, '' for those that were told."""
    one = Sending(paths, targets, notice)
    one.wait()
    assert one.is_over
    deliveries = one.end()
    assert [each.target for each in deliveries] == list(targets)
    return [each.error for each in deliveries]


def test_a_webhook_and_a_mailbox_get_it(
    paths: VenuePaths, web: Hook, mail: tuple[Mailbox, str]
) -> None:
    """Word for word: nothing in a reason is taken for markup."""
    box, url = mail
    assert sent(paths, Target(url=web.url), Target(url=url)) == ["", ""]
    assert (web.bodies[-1]["title"], web.bodies[-1]["message"]) == (NOTICE.title, NOTICE.text)
    assert web.bodies[-1]["type"] == "failure"
    (received,) = box.mails
    assert (received["Subject"], received["To"]) == (NOTICE.title, "ops@example.org")
    texts = [part.get_payload(decode=True) for part in received.walk() if not part.is_multipart()]
    assert NOTICE.text.encode() in texts


def test_a_command_gets_values_and_a_sentence(paths: VenuePaths, tmp_path: Path) -> None:
    """Which no shell evaluates."""
    command = f'cat >{tmp_path}/values; printf %s "$BACKSTAGE_NOTICE" >{tmp_path}/text; pwd >&2'
    assert sent(paths, Target(command=command)) == [""]
    assert json.loads((tmp_path / "values").read_text()) == NOTICE.fields
    assert (tmp_path / "text").read_text() == NOTICE.text
    assert sorted(os.listdir(tmp_path)) == ["text", "values"]


def test_one_that_fails_is_no_other_ones_trouble(paths: VenuePaths, web: Hook) -> None:
    """Each says what is wrong, without a password."""
    count = len(web.bodies)
    targets = [
        Target(command="echo no such pager >&2; exit 3"),
        Target(url="json://user:secret@127.0.0.1:9/"),
        Target(url="nonsense://secret"),
        Target(url="mailto://secret"),
        Target(command="kill -9 $$"),
        Target(url=web.url),
    ]
    pager, nobody, unknown, half, killed, told = sent(paths, *targets)
    assert pager == "exit code 3: no such pager"
    assert "onnection error" in nobody
    assert unknown
    assert half
    assert killed == "exit code -9"
    assert told == ""
    assert len(web.bodies) == count + 1
    assert "secret" not in "".join([pager, nobody, unknown, half])


def test_a_server_that_refuses(paths: VenuePaths, web: Hook) -> None:
    web.status = 500
    try:
        (error,) = sent(paths, Target(url=web.url))
    finally:
        web.status = 200
    assert "500" in error


def test_a_command_that_hangs_is_ended(
    paths: VenuePaths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With what it has started, and the whole process if that is what hangs."""
    monkeypatch.setattr(sending, "PATIENCE", 2.0)
    pid = tmp_path / "pid"
    targets = Target(command="true"), Target(command=f"echo $$ >{pid}; exec sleep 600")
    assert sent(paths, *targets) == ["", "took longer than 2 s"]
    number = int(pid.read_text())
    assert until(lambda: not processes.alive(number), Deadline(PATIENCE), pause=0.02)


def test_a_command_has_its_own_time(paths: VenuePaths) -> None:
    assert sent(paths, Target(command="sleep 600")) == ["takes longer than 10 s"]


def test_a_command_that_leaves_something_running_is_told(paths: VenuePaths) -> None:
    assert sent(paths, Target(command="sleep 5 & exit 0")) == [""]


def test_without_apprise_only_urls_fail(
    paths: VenuePaths, monkeypatch: pytest.MonkeyPatch, web: Hook
) -> None:
    """What to type is said."""
    monkeypatch.setattr(VenuePaths, "apprise", None)
    url, command = sent(paths, Target(url=web.url), Target(command="true"))
    assert url == "no module apprise in this Venue; type: backstage doctor"
    assert command == ""


def test_a_copy_that_is_broken_says_so(tmp_path: Path) -> None:
    paths = VenuePaths(tmp_path)
    paths.python.parent.mkdir()
    paths.python.symlink_to(sys.executable)
    paths.settings.touch(mode=0o600)
    (error,) = sent(paths, Target(command="true"))
    assert error == "ModuleNotFoundError: No module named 'backstage'"


def test_root_runs_no_command_that_others_can_write(
    paths: VenuePaths, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(users, "am_root", lambda: True)
    paths.settings.chmod(0o620)
    try:
        (error,) = sent(paths, Target(command=f"touch {tmp_path}/evil"))
    finally:
        paths.settings.chmod(0o600)
    assert error.startswith("not run as root: venue.yaml can be changed by others")
    assert not list(tmp_path.iterdir())


def test_the_copy_is_made_once_and_is_whole(paths: VenuePaths) -> None:
    """No module of it comes from the environment of this library."""
    before = paths.apprise
    assert before
    inode = before.stat().st_ino
    apprise_copy.provide(paths)
    assert paths.apprise == before
    assert before.stat().st_ino == inode
    assert not [path for path in before.rglob("*") if path.is_symlink()]
    assert [path.name for path in paths.own.glob(".apprise*")] == []
