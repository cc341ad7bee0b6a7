"""Where an Act answers, and in which protocol, according to its vassal file."""

from __future__ import annotations

from pathlib import Path

import pytest

from backstage.layout.paths import ActPaths, VenuePaths
from backstage.uwsgi import places
from backstage.uwsgi.ini import Address


@pytest.fixture
def blog(tmp_path: Path) -> ActPaths:
    venue = VenuePaths(tmp_path)
    for directory in (venue.vassals, venue.kept):
        directory.mkdir()
    return venue.act("blog")


def place_of(blog: ActPaths, *lines: str) -> tuple[str, Address | Path] | None:
    blog.vassal.write_text("\n".join(["[uwsgi]", *lines, ""]))
    place = places.of(blog)
    return (place.protocol, place.at) if place else None


@pytest.mark.parametrize(
    ("line", "protocol", "option"),
    [
        ("http-socket = 127.0.0.1:8001", "http", "http-socket"),
        ("socket = 127.0.0.1:8001", "uwsgi", "socket"),
        ("uwsgi-socket = 127.0.0.1:8001", "uwsgi", "uwsgi-socket"),
        ("set-placeholder = port=8001", "http", "port"),
    ],
)
def test_a_port_is_asked_in_the_protocol_of_its_option(
    blog: ActPaths, line: str, protocol: str, option: str
) -> None:
    assert place_of(blog, line) == (protocol, Address("127.0.0.1", 8001, option))


def test_a_relative_unix_socket_is_in_the_directory_that_uwsgi_changes_to(blog: ActPaths) -> None:
    top = blog.venue.top
    assert place_of(blog, "socket = ../open/%n.sock") == ("uwsgi", top / "open/blog.sock")
    chdir = f"chdir = {top}/acts/blog"
    assert place_of(blog, "http-socket = web.sock", chdir) == ("http", top / "acts/blog/web.sock")


@pytest.mark.parametrize("option", ["protocol", "socket-protocol"])
def test_a_plain_socket_speaks_the_protocol_that_is_set(blog: ActPaths, option: str) -> None:
    """Whatever else is set has no effect on sockets that name their protocol."""
    port, chosen = "127.0.0.1:8001", f"{option} = http"
    assert place_of(blog, f"socket = {port}", chosen) == ("http", Address(*_LOCAL, "socket"))
    assert place_of(blog, "socket = /tmp/a.sock", chosen) == ("http", Path("/tmp/a.sock"))
    found = place_of(blog, f"uwsgi-socket = {port}", chosen)
    assert found == ("uwsgi", Address(*_LOCAL, "uwsgi-socket"))
    assert place_of(blog, f"socket = {port}", f"{option} = fastcgi") is None


_LOCAL = ("127.0.0.1", 8001)


@pytest.mark.parametrize("line", ["https = 127.0.0.1:8001,a,b", "attach-daemon2 = cmd=worker"])
def test_where_neither_protocol_is_spoken_there_is_no_place(blog: ActPaths, line: str) -> None:
    assert place_of(blog, line) is None


def test_the_kept_file_counts_while_the_act_is_stopped(blog: ActPaths) -> None:
    place_of(blog, "http-socket = 127.0.0.1:8001")
    blog.vassal.rename(blog.kept)
    assert places.of(blog)
