"""Ask an Act for its health, by a request or a command, without waiting for the answer."""

from __future__ import annotations

import errno
import os
import re
import select
import signal
import socket
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ..facts.health import HealthCheck
from ..layout.paths import ActPaths
from ..system import processes, programs, users
from ..system.deadlines import Deadline
from . import places
from .places import Place
from .probes import connecting
from .requests import request

_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})\b")
_LENGTH = re.compile(rb"^content-length:[ \t]*(\d{1,9})[ \t]*\r?$", re.IGNORECASE | re.MULTILINE)
_PLAIN = re.compile(rb"^content-type:[ \t]*text/plain\b", re.IGNORECASE | re.MULTILINE)
# How many bytes of an answer are read: enough for its reason, or to find a text in it.
_ENOUGH, _WITH_TEXT = 16_384, 1_048_576
_CHUNK = 65_536
_FIRST_ERROR = 500


@dataclass(frozen=True)
class Answer:
    """What came of a question: `what` is '' if all is well, else what is wrong.

    `words` is the first line of an answer in plain text, which is meant for people. `status` is its
    HTTP status, None if there is none.
    """

    ok: bool
    what: str = ""
    words: str = ""
    status: int | None = None


class Question(Protocol):
    """A question that has been asked; close it."""

    def answer(self, wait: float) -> Answer | None:
        """The answer, if it arrives within `wait` seconds or its time is over; else None."""
        ...

    def fileno(self) -> int:
        """The descriptor that becomes readable when there is more of an answer."""
        ...

    def close(self) -> None: ...


def ask(act_paths: ActPaths, check: HealthCheck) -> Question | None:
    """Ask an Act; None if it has no place where it could be asked."""
    if check.command:
        return _command(act_paths, check)
    place = places.of(act_paths)
    return PageQuestion(place, check) if place else None


def is_askable(act_paths: ActPaths, check: HealthCheck) -> bool:
    """Whether there is a place where the Act can be asked."""
    return bool(check.command) or places.of(act_paths) is not None


class PageQuestion:
    """One GET request, sent at once; as much of the answer is read as is needed to judge it."""

    def __init__(self, place: Place, check: HealthCheck) -> None:
        self._check = check
        self._deadline = Deadline(check.timeout)
        self._request = request(check, place.protocol)
        at = place.at
        self._socket = _connected(at) if isinstance(at, Path) else connecting(at)
        self._asked = False
        self._heard = bytearray()
        self._send(0)

    def answer(self, wait: float) -> Answer | None:
        deadline = Deadline(min(wait, self._deadline.remaining))
        ended = self._socket is None or self._listen(deadline)
        if ended or self._is_complete:
            return self._judged()
        return self._overdue() if self._deadline.expired else None

    def fileno(self) -> int:
        return self._socket.fileno() if self._socket else -1

    def close(self) -> None:
        if self._socket:
            self._socket.close()
            self._socket = None

    def _listen(self, deadline: Deadline) -> bool:
        """Read until the answer is complete or the deadline; return whether it has ended."""
        while self._socket and self._send(deadline.remaining):
            if not _is_ready(self._socket, select.POLLIN, deadline.remaining):
                return False
            try:
                chunk = self._socket.recv(_CHUNK)
            except BlockingIOError:
                continue
            except OSError:
                chunk = b""
            self._heard += chunk
            if not chunk or self._is_complete:
                return True
            if deadline.expired:
                return False
        return self._socket is None

    def _send(self, wait: float) -> bool:
        if self._asked or not self._socket or not _is_ready(self._socket, select.POLLOUT, wait):
            return self._asked
        try:
            self._socket.sendall(self._request)
            self._asked = True
        except OSError:
            self.close()
        return self._asked

    @property
    def _head(self) -> bytes | None:
        """The head of the answer, once it is there."""
        end = self._heard.find(b"\r\n\r\n")
        return bytes(self._heard[:end]) if end >= 0 else None

    @property
    def _body(self) -> bytes:
        return bytes(self._heard.partition(b"\r\n\r\n")[2])

    @property
    def _is_complete(self) -> bool:
        if len(self._heard) >= (_WITH_TEXT if self._check.text else _ENOUGH):
            return True
        head = self._head
        length = _LENGTH.search(head) if head is not None else None
        return length is not None and len(self._body) >= int(length[1])

    def _overdue(self) -> Answer:
        if self._head is not None and not self._check.text:
            # A page that never ends, such as a stream of events.
            return self._judged()
        return Answer(False, f"{self._check.path} has not answered in {self._check.timeout:g} s")

    def _judged(self) -> Answer:
        path, wish = self._check.path, self._check.status
        match = _STATUS.match(self._heard)
        if not match:
            what = "answers with something else than HTTP" if self._heard else "gives no answer"
            return Answer(False, f"{path} {what}")
        status = int(match[1])
        if status < _FIRST_ERROR if wish is None else status == wish:
            if self._check.text and self._check.text not in self._body.decode(errors="replace"):
                return Answer(False, f"{path} does not contain {self._check.text!r}", status=status)
            return Answer(True, status=status)
        expected = "" if wish is None or status >= _FIRST_ERROR else f", not {wish}"
        return Answer(False, f"{path} says {status}{expected}", self._words(), status)

    def _words(self) -> str:
        if not _PLAIN.search(self._head or b""):
            return ""
        return next(iter(self._body[:_ENOUGH].decode(errors="replace").splitlines()), "")


class AnsweredQuestion:
    """One that needs not be asked."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    def answer(self, wait: float) -> Answer:
        return self._answer

    def fileno(self) -> int:
        return -1

    def close(self) -> None:
        pass


class CommandQuestion:
    """One run of a command in the Act's directory, as the user `uid` if it is not None."""

    def __init__(self, act_paths: ActPaths, check: HealthCheck, uid: int | None = None) -> None:
        venue = act_paths.venue
        self._check = check
        self._deadline = Deadline(check.timeout)
        environment = programs.service_environment(venue.top)
        # Ready when there is more of its output, and when it has ended.
        self._news = select.epoll()
        self._process = programs.start(
            ["/bin/sh", "-c", check.command],
            cwd=act_paths.top,
            env=environment,
            uid=uid,
            leads=True,
        )
        self._said = bytearray()
        self._end: int | None = None
        try:
            self._follow()
        except OSError:
            self.close()
            raise

    def answer(self, wait: float) -> Answer | None:
        deadline = Deadline(min(wait, self._deadline.remaining))
        while not self._listen(deadline.remaining):
            if self._deadline.expired:
                timeout = f"{self._check.timeout:g} s"
                return Answer(False, f"`{self._check.command}` has not ended in {timeout}")
            if deadline.expired:
                return None
        code = self._process.wait()
        if not code:
            return Answer(True)
        words = self._said.decode(errors="replace").strip().splitlines()[-1:]
        return Answer(False, f"`{self._check.command}` ends with exit code {code}", "".join(words))

    def fileno(self) -> int:
        return self._news.fileno()

    def close(self) -> None:
        if self._process.poll() is None:
            # What it has started would wait on, for a site that hangs.
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._news.close()
        if self._end is not None:
            os.close(self._end)
            self._end = None
        if self._process.stdout:
            self._process.stdout.close()

    @property
    def _output(self) -> int:
        assert self._process.stdout is not None
        return self._process.stdout.fileno()

    def _follow(self) -> None:
        os.set_blocking(self._output, False)
        self._news.register(self._output, select.EPOLLIN)
        self._end = processes.watch_end(self._process.pid)
        if self._end is not None:
            self._news.register(self._end, select.EPOLLIN)

    def _listen(self, wait: float) -> bool:
        """Read what it prints; return whether it has ended."""
        self._news.poll(wait)
        # What it printed before is in the pipe by now, and one read takes all that a pipe holds.
        has_ended = self._process.poll() is not None
        with suppress(BlockingIOError):
            chunk = os.read(self._output, _CHUNK)
            self._said = (self._said + chunk)[-_ENOUGH:]
            if not chunk:
                # Its closed output would be ready for ever.
                with suppress(FileNotFoundError):
                    self._news.unregister(self._output)
        return has_ended


def _command(act_paths: ActPaths, check: HealthCheck) -> Question:
    """A command that is run as the Act's user, or refused to root if others may have written it."""
    venue = act_paths.venue
    uid = users.stand_in(venue.top, act_paths.top)
    if uid is None and users.am_root() and (why := users.why_not_as_root(venue.settings)):
        return AnsweredQuestion(Answer(False, f"`{check.command}` is {why}"))
    return CommandQuestion(act_paths, check, uid)


def _connected(place: Path) -> socket.socket | None:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.setblocking(False)
    try:
        outcome = connection.connect_ex(str(place))
    except OSError:
        outcome = errno.EINVAL
    if outcome == 0:
        return connection
    connection.close()
    return None


def _is_ready(connection: socket.socket, event: int, wait: float) -> bool:
    waiting = select.poll()
    waiting.register(connection, event)
    return bool(waiting.poll(wait * 1000))
