"""Whether members of the group can reach a shared Venue, and if not, why."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from backstage.doctor import sharing
from backstage.doctor.finding import Finding, Severity
from backstage.layout.paths import VenuePaths
from backstage.system import peers, users


@pytest.fixture
def paths(tmp_path: Path) -> VenuePaths:
    """A Venue that is shared with this process's own group."""
    own = users.group_name(os.getegid())
    (tmp_path / "venue.yaml").write_text(f"group: {own}\n")
    return VenuePaths(tmp_path)


def told(paths: VenuePaths) -> list[Finding]:
    return list(sharing.examine(paths))


def test_a_venue_that_is_not_shared_is_nothing_to_tell(paths: VenuePaths) -> None:
    paths.settings.write_text("")
    assert told(paths) == []


def test_a_group_that_is_not_there_can_be_made(paths: VenuePaths) -> None:
    paths.settings.write_text("group: nobodys-team\n")
    (finding,) = told(paths)
    assert finding.severity is Severity.WARNING
    assert finding.command == "sudo groupadd nobodys-team"


def test_the_owner_has_to_be_a_member(paths: VenuePaths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "may_give_to", lambda _: False)
    (finding,) = told(paths)
    assert finding.command == "backstage venue stop && backstage venue start"
    assert str(finding.remedy).startswith("log in again")
    monkeypatch.setattr(peers, "is_member", lambda *_: False)
    (finding,) = told(paths)
    assert finding.severity is Severity.WARNING
    assert finding.command.startswith("sudo usermod -aG ")


def test_what_the_watcher_says_is_told(paths: VenuePaths) -> None:
    paths.own.mkdir()
    paths.watcher_log.write_text("not shared with the group 'x': no\n")
    (finding,) = told(paths)
    assert finding.what == "the watcher says: not shared with the group 'x': no"
    assert "log in again" in str(finding.remedy)


def test_a_closed_directory_on_the_way_is_told_with_what_opens_it(
    paths: VenuePaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pytest's own directories above are closed, too."""
    paths.shared.mkdir()
    with socket.socket(socket.AF_UNIX) as listener:
        descriptor = os.open(paths.shared, os.O_PATH)
        listener.bind(f"/proc/self/fd/{descriptor}/socket")
        os.close(descriptor)
        monkeypatch.setattr(peers, "gid_of", lambda _: 2**31 - 7)
        monkeypatch.setattr(peers, "may_give_to", lambda _: True)
        paths.top.chmod(0o700)
        assert f"chmod o+x {paths.top}" in {finding.command for finding in told(paths)}
        paths.top.chmod(0o711)
        assert f"chmod o+x {paths.top}" not in {finding.command for finding in told(paths)}
