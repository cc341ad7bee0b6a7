"""Which Act a process belongs to, and who has a port."""

from __future__ import annotations

import os
from pathlib import Path

from backstage.layout.paths import VenuePaths
from backstage.uwsgi.owners import Owner, holder, owner
from tests.conftest import Listen


def test_the_holder_of_a_port_is_told_in_words(tmp_path: Path, listen: Listen) -> None:
    """There is a description even if the process is not visible."""
    here, listener = VenuePaths(tmp_path), listen()
    port = listener.getsockname()[1]
    assert owner(os.getpid(), here) is None
    assert holder(port, here).endswith(f" (pid {os.getpid()})")
    listener.close()
    assert holder(port, here) == "another program"


def test_an_act_of_another_venue_is_named_with_it(tmp_path: Path) -> None:
    shop = Owner(tmp_path, "shop")
    assert shop.seen_from(tmp_path) == "the Act shop"
    assert shop.seen_from(tmp_path / "other") == f"the Act shop of {tmp_path}"
    assert shop.is_act(VenuePaths(tmp_path).act("shop"))
    assert not shop.is_act(VenuePaths(tmp_path / "other").act("shop"))
