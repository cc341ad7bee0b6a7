"""A connection of a member of the group to the watcher of the Venue."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from ..errors import BackstageError, EmperorFailed, NotAllowed
from ..layout.paths import VenuePaths
from ..system import peers, users
from . import requests, terms
from .failures import Failure
from .requests import Ask, Request
from .values import decoded

# How long the watcher may take to begin to answer, in seconds.
_PATIENCE = 60.0


class Connection:
    """Asks the watcher of a Venue. What it answers is believed of that Venue, and nothing else."""

    def __init__(self, venue_paths: VenuePaths) -> None:
        """Raises NotAllowed, or EmperorFailed if nobody answers."""
        self._paths = venue_paths
        self._socket = _connected(venue_paths)
        self._lines = self._socket.makefile("rb")

    def ask(self, kind: Any, ask: Ask, **fields: Any) -> Iterator[Any]:
        """The items of the reply, each of type `kind`, as they come; `fields` are of the Request.

        Raises the errors that the owner's own call would. All items are to be read before the next
        request.
        """
        request = Request(ask=ask, venue=str(self._paths.top), **fields)
        try:
            with suppress(ConnectionError):
                # Who is refused is told why, and nobody reads the request.
                self._socket.sendall(requests.line_of_request(request))
            while "end" not in (document := self._reply()):
                if "error" in document:
                    raise self._value(Failure, document["error"]).error
                yield self._value(kind, document.get("item"))
        except (OSError, ValueError) as error:
            # That of a closed file is a ValueError.
            raise self._ended() from error

    def wait_without_end(self) -> None:
        """From now on, wait for the rest of a reply as long as it takes."""
        self._socket.settimeout(None)

    def close(self) -> None:
        """End the connection, also while another thread waits for a reply."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._lines.close()
        self._socket.close()

    def _reply(self) -> Any:
        line = self._lines.readline(requests.LONGEST_REPLY)
        if not line:
            raise self._ended()
        return requests.document_of(line)

    def _value(self, kind: Any, form: object) -> Any:
        try:
            return decoded(kind, form)
        except ValueError as error:
            what = f"what the watcher of {self._paths.top} answers makes no sense: {error}"
            raise BackstageError(what) from error

    def _ended(self) -> EmperorFailed:
        return EmperorFailed(f"the watcher of {self._paths.top} has broken off")


def _connected(venue_paths: VenuePaths) -> socket.socket:
    """A socket that is connected to the watcher. Raises NotAllowed, EmperorFailed."""
    plug = socket.socket(socket.AF_UNIX)
    try:
        plug.settimeout(_PATIENCE)
        plug.connect(str(venue_paths.shared_socket))
        server = peers.uid_of(plug)
        if server not in {venue_paths.top.stat().st_uid, users.ROOT}:
            raise NotAllowed(
                f"{venue_paths.shared_socket} is served by {users.name_of(server)}, to whom "
                f"{venue_paths.top} does not belong; nothing was asked there"
            )
    except PermissionError as error:
        plug.close()
        raise terms.no_member(venue_paths) from error
    except OSError as error:
        plug.close()
        raise EmperorFailed(_silence(venue_paths)) from error
    except BaseException:
        plug.close()
        raise
    return plug


def _silence(venue_paths: VenuePaths) -> str:
    owner = terms.owner_of(venue_paths)
    command = users.owner_command(owner, "--venue", str(venue_paths.top), "venue", "start")
    what = "its Emperor or its watcher does not run"
    return f"nobody answers for {venue_paths.top}: {what}; type: {command}"
