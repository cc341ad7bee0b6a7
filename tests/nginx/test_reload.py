"""Having nginx started and told: by systemd, whose words reach whoever asked."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from backstage.errors import SiteRefused
from backstage.nginx.program import Nginx
from backstage.nginx.reload import reload, start, stop


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What a systemctl was asked for, a line each; it fails while there is a file `fails`."""
    asked = tmp_path / "asked"
    asked.touch()
    systemctl = tmp_path / "systemctl"
    systemctl.write_text(
        f'#!/bin/sh\necho "$*" >>{asked}\n'
        f"test ! -e {tmp_path}/fails || {{ echo 'Job for nginx failed.'; exit 1; }}\n"
    )
    systemctl.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    return asked


def test_it_is_started_when_it_answers(asked: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        start((server.getsockname()[1],))
    stop()
    assert asked.read_text().splitlines() == ["start nginx.service", "stop nginx.service"]


def test_what_systemd_cannot_start_is_refused_with_its_words(asked: Path) -> None:
    asked.with_name("fails").touch()
    with pytest.raises(SiteRefused, match="journalctl -u nginx\nJob for nginx failed"):
        start(())


def test_what_does_not_run_has_nothing_to_read(asked: Path, tmp_path: Path) -> None:
    conf = tmp_path / "nginx.conf"
    conf.write_text(f"pid {tmp_path}/pid;\n")
    reload(Nginx(Path("/bin/false"), conf), (1,))
    assert asked.read_text() == ""
