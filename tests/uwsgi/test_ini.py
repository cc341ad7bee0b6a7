"""The options of a vassal file, its address, and differences between two files."""

from __future__ import annotations

from pathlib import PurePath

import pytest

from backstage.layout.shipped_files import configuration
from backstage.uwsgi.ini import Address, Setting, VassalFile, filled, settings, signs_of

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
        ("[uwsgi]\nset-ph = a=%(b)/x\nset-ph = b=/srv\nchdir = /%(a)\n", "chdir", "//srv/x"),
        # uWSGI looks for further placeholders only after the first character.
        ("[uwsgi]\nset-ph = a=%(b)/x\nset-ph = b=/srv\nchdir = %(a)\n", "chdir", "%(b)/x"),
        ("[uwsgi]\nset-ph = a = /srv\nchdir = %(a)\n", "chdir", "%(a)"),
        ("[uwsgi]\nprocesses = 3\nthreads = %(processes)\n", "threads", "3"),
        ("[uwsgi]\nlog-date = %%Y%Y%n.ini %%%h\n", "log-date", "%Yblog.ini %%h"),
        ("[uwsgi]\nchdir = %d%n\n", "chdir", "%dblog"),
        ("[uwsgi] ; mine\nprocesses = 4\n", "processes", None),
        ("[uwsgi]\nmaster\n", "master", ""),
        ("[uwsgi]\n# a\fb = 1\nprocesses = 1\f2\n", "processes", "1\f2"),
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
        ("set-placeholder = port=8005", Address("127.0.0.1", 8005, "port")),
        ("set-ph = port=8005\nsocket = /run/a.sock", Address("127.0.0.1", 8005, "port")),
        ("set-ph = port=8005\nsocket = :8001", Address("", 8001, "socket")),
        ("set-ph = port=8005x", Address("127.0.0.1", 8005, "port")),
        ("set-ph = port=https", None),
    ],
)
def test_address(options: str, address: Address | None) -> None:
    """HTTP comes first; a Unix socket has no address."""
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
    [
        ("http-socket", True),
        ("https", True),
        ("socket", False),
        ("uwsgi-socket", False),
        ("port", False),
    ],
)
def test_who_speaks_http(option: str, speaks: bool) -> None:
    assert Address("", 8001, option).speaks_http is speaks


def test_of_two_placeholders_with_one_name_the_first_counts() -> None:
    """uWSGI does the same: the including file takes precedence over the template."""
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


def test_settings_know_their_lines() -> None:
    assert settings(HAND_EDITED)[0] == Setting(3, "http-socket", "127.0.0.1:8001")
    assert settings(HAND_EDITED, "other") == (Setting(10, "processes", "99"),)


def test_signs_mean_the_file_that_has_them_and_capitals_the_first() -> None:
    signs = signs_of(PurePath("/srv/V/templates/a.b.ini"), PurePath("/srv/V/vassals/blog.ini"))
    assert [signs[sign] for sign in "ndsepcN"] == [
        *("a.b", "/srv/V/templates/", "a.b.ini", "ini", "/srv/V/templates/a.b.ini", "templates"),
        "blog",
    ]
    assert [signs[sign] for sign in "0129D"] == ["srv", "V", "templates", "", "/srv/V/vassals/"]


def test_placeholders_that_hold_themselves_end() -> None:
    growing = blog("[uwsgi]\nset-ph = a=x%(a)%(a)\nchdir = %(a)\n").get("chdir")
    assert growing is not None
    assert len(growing) < 20_000


@pytest.mark.parametrize(
    ("before", "now", "differences"),
    [
        ("threads = 4", "threads=8", ["threads = 4 → 8"]),
        ("threads = 4", "# more\n\n  threads=4 ", []),
        ("", "harakiri = 30", ["+ harakiri = 30"]),
        ("harakiri = 30", "", ["- harakiri"]),
        ("env = A=1\nenv = B=2", "env = B=2", ["- env = A=1"]),
        ("env = A=1", "env = A=1\nenv = B=2", ["+ env = B=2"]),
        ("env = A=1\nenv = B=2", "env = A=1\nenv = B=3", ["env = B=2 → B=3"]),
        ("env = A=1", "env = A=1\nenv = A=1", ["+ env = A=1"]),
        ("a = 1\nb = 2", "b = 3\nc = 4", ["- a", "b = 2 → 3", "+ c = 4"]),
        ("a = 1\nb = 2", "b = 2\na = 1", ["options in another order"]),
    ],
)
def test_differences(before: str, now: str, differences: list[str]) -> None:
    """They come in the order of the earlier file; comments and white space do not count."""
    assert blog(f"[uwsgi]\n{now}\n").differences(blog(f"[uwsgi]\n{before}\n")) == differences


@pytest.mark.parametrize("begun", ["%(a)", "x%(a)", "=%(b)"])
@pytest.mark.parametrize(
    "known",
    [{"a": "%(b)", "b": "%(a)"}, {"a": "%(a)", "b": "%(b)"}, {"a": "%(b)%(b)", "b": "%(a)%(a)"}],
)
def test_placeholders_that_mean_each_other_have_an_end(begun: str, known: dict[str, str]) -> None:
    """Whether the value grows with each step or not."""
    assert len(filled(begun, known)) < 20_000
