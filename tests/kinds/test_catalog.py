"""The kind of service that a vassal file runs."""

from __future__ import annotations

import pytest

from backstage.kinds.catalog import KINDS, kind_of
from backstage.kinds.daemon import DAEMON, OPTIONS
from backstage.kinds.kind import Kind
from backstage.kinds.wsgi import WSGI
from backstage.layout.shipped_files import shelf
from backstage.uwsgi.ini import VassalFile


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        ("", WSGI),
        ("http-socket = 127.0.0.1:8001", WSGI),
        ("socket = 127.0.0.1:8001\nattach-daemon = celery", WSGI),
        ("attach-daemon = celery", DAEMON),
        ("attach-daemon2 = cmd=uvicorn", DAEMON),
        ("smart-attach-daemon = /run/c.pid celery", DAEMON),
        ("smart-attach-daemon2 = cmd=celery", DAEMON),
        ("set-placeholder = port=8005\nattach-daemon = uvicorn --port %(port)", DAEMON),
        ("http = 127.0.0.1:8001", DAEMON),
        ("# attach-daemon = celery", WSGI),
        ("daemonize = /dev/null", WSGI),
    ],
)
def test_a_kind_is_recognised_by_the_options(options: str, kind: Kind) -> None:
    assert kind_of(VassalFile("blog", f"[uwsgi]\n{options}\n")) is kind


def test_without_a_file_it_is_what_most_are() -> None:
    assert kind_of(None) is WSGI


def test_kinds_have_names_of_their_own() -> None:
    assert len({kind.name for kind in KINDS}) == len(KINDS)


def test_what_waits_for_a_boot_recognises_daemons_by_the_same_options() -> None:
    """`ready.py` may run without the library, so the options are written into it."""
    text = (shelf("scaffolds") / "venue" / "templates" / "ready.py").read_text()
    assert "@DAEMONS@" in text
    assert not any(option in text for option in OPTIONS)
