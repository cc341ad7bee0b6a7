"""What a vassal file says, and changing one option of it without touching the rest."""

from __future__ import annotations

import pytest

from backstage.templates import configuration
from backstage.vassal import Address, VassalFile

HAND_EDITED = """\
# ours, since 2024
[uwsgi]
http-socket = 127.0.0.1:8001
  processes = 2   \t
; threads = 9
processes=4
env = MOTTO=a = b

[other]
processes = 99
"""


def blog(text: str) -> VassalFile:
    return VassalFile("blog", text)


def test_options_as_uwsgi_reads_them() -> None:
    """Only the section [uwsgi] counts, comments do not, and a value may hold `=`."""
    assert list(blog(HAND_EDITED).options()) == [
        ("http-socket", "127.0.0.1:8001"),
        ("processes", "2"),
        ("processes", "4"),
        ("env", "MOTTO=a = b"),
    ]


@pytest.mark.parametrize(
    ("text", "key", "value"),
    [
        (HAND_EDITED, "processes", "4"),
        (HAND_EDITED, "threads", None),
        (HAND_EDITED, "process", None),
        ("processes = 4\n", "processes", None),
        ("[uwsgi]\r\nprocesses = 4\r\n", "processes", "4"),
        ("[uwsgi]\nprocesses = 4", "processes", "4"),
        ("[uwsgi]\na = 1\n[x]\na = 2\n[uwsgi]\nb = 3\n", "b", "3"),
        ("[uwsgi]\nset-placeholder = act=%n\nchdir = /srv/%(act)\n", "chdir", "/srv/blog"),
        ("[uwsgi]\nset-ph = a=%(b)/x\nset-ph = b=/srv\nchdir = %(a)\n", "chdir", "/srv/x"),
        ("[uwsgi]\nset-ph = a=%(b)\nset-ph = b=%(a)\nchdir = ok %(c)\n", "chdir", "ok %(c)"),
    ],
)
def test_get(text: str, key: str, value: str | None) -> None:
    assert blog(text).get(key) == value


def test_placeholders_that_need_each_other_end() -> None:
    looping = blog("[uwsgi]\nset-ph = a=%(b)\nset-ph = b=%(a)\nchdir = %(a)\n")
    assert looping.get("chdir") in {"%(a)", "%(b)"}


@pytest.mark.parametrize(
    ("options", "address"),
    [
        ("http-socket = 127.0.0.1:8001", Address("127.0.0.1", 8001, "http-socket")),
        ("http-socket=:8001", Address("", 8001, "http-socket")),
        ("http-socket = [::1]:8001", Address("[::1]", 8001, "http-socket")),
        ("https = :8443,cert.pem,key.pem", Address("", 8443, "https")),
        ("http11-socket = localhost:8001", Address("localhost", 8001, "http11-socket")),
        ("socket = 127.0.0.1:8001", Address("127.0.0.1", 8001, "socket")),
        ("socket = :8001\nhttp = :8000", Address("", 8000, "http")),
        ("http-socket = /run/blog.sock\nsocket = :8001", Address("", 8001, "socket")),
        ("http-socket = :8001\nhttp-socket = :8002", Address("", 8002, "http-socket")),
        ("set-ph = port=8001\nhttp-socket = :%(port)", Address("", 8001, "http-socket")),
        ("http-socket = :65535", Address("", 65535, "http-socket")),
        ("http-socket = :65536", None),
        ("http-socket = 127.0.0.1:0", None),
        ("http-socket = /run/blog.sock", None),
        ("http-socket =", None),
        ("# http-socket = :8001", None),
        ("attach-daemon = celery", None),
    ],
)
def test_address(options: str, address: Address | None) -> None:
    """The one a browser would want first; a Unix socket is none."""
    assert blog(f"[uwsgi]\n{options}\n").address == address


@pytest.mark.parametrize(
    ("host", "bound", "reachable"),
    [
        ("", "0.0.0.0", "127.0.0.1"),
        ("0.0.0.0", "0.0.0.0", "127.0.0.1"),
        ("127.0.0.1", "127.0.0.1", "127.0.0.1"),
        ("10.0.0.7", "10.0.0.7", "10.0.0.7"),
        ("[::1]", "::1", "::1"),
        ("[::]", "::", "127.0.0.1"),
        ("localhost", "localhost", "localhost"),
    ],
)
def test_hosts_of_an_address(host: str, bound: str, reachable: str) -> None:
    address = Address(host, 8001, "http-socket")
    assert (address.bound_host, address.reachable_host) == (bound, reachable)


@pytest.mark.parametrize(
    ("option", "speaks"),
    [("http-socket", True), ("https", True), ("socket", False), ("uwsgi-socket", False)],
)
def test_who_speaks_http(option: str, speaks: bool) -> None:
    assert Address("", 8001, option).speaks_http is speaks


def test_of_two_placeholders_with_one_name_the_first_counts() -> None:
    """As uWSGI does it: whoever includes a template decides before the template does."""
    text = "[uwsgi]\nset-placeholder = p=8001\nset-ph = p=8002\nhttp-socket = :%(p)\n"
    assert blog(text).address == Address("", 8001, "http-socket")


@pytest.mark.parametrize("written", [":8001", ":8001 ; mine", ":8001,:8002", "0.0.0.0:8001"])
def test_what_stands_behind_a_port_is_not_read(written: str) -> None:
    address = blog(f"[uwsgi]\nhttp-socket = {written}\n").address
    assert address is not None
    assert address.port == 8001


def test_the_shipped_file_names_its_port() -> None:
    text = configuration("vassal_templates", "vassal.ini", act="blog", port="8001", venue="/srv/V")
    vassal = blog(text)
    assert vassal.address == Address("127.0.0.1", 8001, "http-socket")
    assert vassal.get("ini") == "/srv/V/templates/django.ini"
    assert vassal.get("set-placeholder") == "act=blog"
