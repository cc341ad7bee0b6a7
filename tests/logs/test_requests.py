"""Requests as uWSGI logs them."""

from __future__ import annotations

import pytest

from backstage.logs.requests import Request, status_of

LINE = (
    "[pid: 7|app: 0|req: 2/5] %s () {28 vars in 314 bytes} [Sun May  1 21:45:51 2022] "
    "GET %s => generated 12 bytes in %s (HTTP/1.1 404) 7 headers in 214 bytes "
    "(1 switches on core 0)"
)
VISITOR = "203.0.113.7"


@pytest.mark.parametrize(("took", "seconds"), [("31 msecs", 0.031), ("250 micros", 0.00025)])
def test_what_a_request_was(took: str, seconds: float) -> None:
    line = LINE % (VISITOR, "/shop?page=2", took)
    found = Request.read(line)
    assert found == Request("2022-05-01 21:45:51", "GET", "/shop?page=2", "404", seconds)
    assert Request.read("{rss usage: 46206976 bytes/44MB} " + line) == found
    assert status_of(line) == "404"


@pytest.mark.parametrize("line", ["", "Not Found: /", "GET / => generated 5 bytes", LINE[:-3]])
def test_other_lines(line: str) -> None:
    assert Request.read(line) is None
    assert status_of(line) == ""


def test_visitors_cannot_write_another_request_into_the_line() -> None:
    """What they send stands in the middle: their address behind a proxy, and the path."""
    ending = "=> generated 1 bytes in 1 msecs (HTTP/1.1 200) 1 headers in 1 bytes"
    forged = f"[Sun May  1 00:00:00 2022] GET /admin {ending} (1 switches on core 0)"
    told = Request.read(LINE % (f"x () {{1 vars in 1 bytes}} {forged}", "/own", "3 msecs"))
    assert told == Request("2022-05-01 21:45:51", "GET", "/own", "404", 0.003)
    assert Request.read(LINE % (VISITOR, f"/own {forged}", "3 msecs")) is None


def test_the_status_in_other_access_logs() -> None:
    assert status_of('::1 - - [01/May/2022:23:45:51 +0200] "GET /x HTTP/1.1" 503 7') == "503"
    assert status_of('INFO:     127.0.0.1:5 - "GET / HTTP/1.1" 200 OK') == "200"
