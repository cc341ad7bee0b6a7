"""Lets members of the Venue's group ask, each answered by a process of its own.

Whatever a member sends, the watcher itself only accepts the connection, looks up who it is, and
starts that process: it reads nothing. How many there are is bounded, and how fast they come.
"""

from __future__ import annotations

import os
import select
import socket
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass

from ..errors import BackstageError, Busy, CannotWrite, NotAllowed
from ..layout.paths import VenuePaths
from ..sharing import requests
from ..sharing.failures import Failure
from ..sharing.values import encoded
from ..system import peers, programs, users
from . import door

# So many connections at a time, of one user and of all.
_MOST_OF_ONE, _MOST = 6, 12
# After each connection, the next one waits for so many seconds: a flood costs next to nothing.
_PAUSE = 0.05
# While anybody is answered, it is seen so often, in seconds, who still is a member.
_BEAT = 2.0
_ANSWER = (
    "import sys; sys.path.insert(0, sys.argv[1]); "
    "from backstage.sharing import answering; answering.main()"
)


@dataclass(frozen=True)
class _Answered:
    """A member, and the process that answers."""

    uid: int
    process: programs.Apart


class Desk:
    """Hears the group of a Venue, in a thread of its own, while `group` is set."""

    def __init__(self, venue_paths: VenuePaths) -> None:
        self._paths = venue_paths
        self._hearing: _Hearing | None = None
        self._group = ""
        self._told = ""
        # That of a watcher that was killed.
        door.remove(venue_paths)

    def arrange(self, group: str) -> None:
        """Hear this group from now on, '' for none; whoever is of another one is cut off."""
        is_heard = self._hearing is not None and self._hearing.is_alive()
        if group == self._group and is_heard is bool(group):
            return
        self._group = group
        if self._hearing:
            self._hearing.end()
            self._hearing = None
            door.remove(self._paths)
        if group:
            self._open(group)

    def _open(self, group: str) -> None:
        gid = peers.gid_of(group)
        if gid is None:
            self._complain(f"there is no group {group!r}")
            return
        try:
            self._hearing = _Hearing(self._paths, gid, door.opened(self._paths, gid))
        except OSError as error:
            door.remove(self._paths)
            self._complain(f"not shared with the group {group!r}: {error.strerror or error}")
        else:
            self._told = ""
            self._hearing.start()

    def _complain(self, what: str) -> None:
        if what != self._told:
            self._told = what
            with suppress(OSError):
                print(what, file=sys.stderr, flush=True)


class _Hearing(threading.Thread):
    """Accepts connections, until it is ended."""

    def __init__(self, venue_paths: VenuePaths, gid: int, listener: socket.socket) -> None:
        super().__init__(name="backstage desk", daemon=True)
        self._gid = gid
        self._paths = venue_paths
        self._listener = listener
        self._ending = threading.Event()
        self._answered: list[_Answered] = []

    def run(self) -> None:
        poll = select.poll()
        poll.register(self._listener, select.POLLIN)
        try:
            while True:
                ready = poll.poll(_BEAT * 1000 if self._answered else None)
                if self._ending.is_set():
                    return
                self._cut_off()
                if ready:
                    self._accept()
                    self._ending.wait(_PAUSE)
        finally:
            self._listener.close()
            self._end_all()

    def end(self) -> None:
        """Hear nobody any more, and break off what is being answered."""
        self._ending.set()
        with suppress(OSError):
            # This wakes the thread.
            self._listener.shutdown(socket.SHUT_RDWR)
        self._end_all()

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:
            # The other side is gone, or no more files can be opened.
            return
        with connection:
            uid = peers.uid_of(connection)
            try:
                self._admit(uid)
                command = [sys.executable, "-I", "-S", "-c", _ANSWER, sys.path[0]]
                told = [str(self._paths.top), users.name_of(uid)]
                process = programs.start_answering(
                    [*command, *told], connection.fileno(), self._paths.top
                )
            except BackstageError as error:
                _refuse(connection, error)
            except OSError as error:
                _refuse(connection, CannotWrite("answering", error))
            else:
                self._answered.append(_Answered(uid, process))

    def _admit(self, uid: int) -> None:
        """Raise the error for a user who is not answered."""
        if not self._is_known(uid):
            group = users.group_name(self._gid)
            raise NotAllowed(f"{users.name_of(uid)} is not in the group {group} any more")
        mine = sum(each.uid == uid for each in self._answered)
        if mine >= _MOST_OF_ONE or len(self._answered) >= _MOST:
            most = f"{_MOST_OF_ONE} calls of one user, and {_MOST} of all"
            raise Busy(f"the watcher of {self._paths.top} answers {most} at a time; try again")

    def _is_known(self, uid: int) -> bool:
        return uid in {os.geteuid(), users.ROOT} or peers.is_member(uid, self._gid)

    def _cut_off(self) -> None:
        """Forget those who are answered, and cut off those who are no members any more."""
        self._answered = [each for each in self._answered if each.process.poll() is None]
        members = {uid: self._is_known(uid) for uid in {each.uid for each in self._answered}}
        for each in self._answered:
            if not members[each.uid]:
                programs.kill_session(each.process)

    def _end_all(self) -> None:
        for each in self._answered:
            programs.kill_session(each.process)


def _refuse(connection: socket.socket, error: BackstageError) -> None:
    """Say why, unless the other side reads so little that this would take time."""
    connection.setblocking(False)
    with suppress(OSError):
        connection.send(requests.line_of({"error": encoded(Failure.of(error))}))
