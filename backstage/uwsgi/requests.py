"""The bytes of a GET request, in the protocols that uWSGI's sockets speak."""

from __future__ import annotations

import struct
from urllib.parse import unquote_to_bytes

from ..facts.health import HealthCheck
from . import places

_AGENT = "backstage-health"
_VERSION = "HTTP/1.0"


def request(check: HealthCheck, protocol: str) -> bytes:
    """The request for the page of a health check."""
    return _uwsgi(check) if protocol == places.UWSGI else _http(check)


def _http(check: HealthCheck) -> bytes:
    head = f"GET {check.path} {_VERSION}\r\nHost: {check.host}\r\nUser-Agent: {_AGENT}\r\n\r\n"
    return head.encode()


def _uwsgi(check: HealthCheck) -> bytes:
    """A packet of variables: each with its length before it, as the packet has (uWSGI's manual)."""
    path, _, query = check.path.partition("?")
    variables = {
        "REQUEST_METHOD": b"GET",
        "REQUEST_URI": check.path.encode(),
        "PATH_INFO": unquote_to_bytes(path),
        "QUERY_STRING": query.encode(),
        "SERVER_PROTOCOL": _VERSION.encode(),
        "SERVER_NAME": check.host.encode(),
        "SERVER_PORT": b"80",
        "REMOTE_ADDR": b"127.0.0.1",
        "HTTP_HOST": check.host.encode(),
        "HTTP_USER_AGENT": _AGENT.encode(),
    }
    pairs = ((name.encode(), value) for name, value in variables.items())
    body = b"".join(_measured(name) + _measured(value) for name, value in pairs)
    return struct.pack("<BHB", 0, len(body), 0) + body


def _measured(text: bytes) -> bytes:
    return struct.pack("<H", len(text)) + text
