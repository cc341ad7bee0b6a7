"""Doing things as the user whom they concern, where root asks for them."""

from __future__ import annotations

import json
import os
import signal
import traceback
import warnings
from collections.abc import Callable

from .. import errors
from ..errors import BackstageError
from . import users


class TaskFailed(RuntimeError):
    """Raised for a programming error in a process of another user; its cause shows where."""


class _RemoteTraceback(Exception):
    """The traceback of another process, as text: what comes from a user is never unpickled."""

    def __str__(self) -> str:
        return f'\n"""\n{self.args[0]}"""'


def run_as(uid: int | None, task: Callable[[], object]) -> object:
    """Do a task as this user, in a process of its own; right here where `uid` is None.

    So root writes no file in another user's directory and follows none of his links. Returns what
    the task returns, as JSON has it. Raises the BackstageError that it raises, one that tells of
    an OSError, and TaskFailed for any other error.
    """
    if uid is None:
        return task()
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        # Python warns of other threads; the child needs none of what they hold.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        os.close(reading)
        _run_child(uid, task, writing)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        report = pipe.read()
    _, status = os.waitpid(child, 0)
    if status or not report:
        raise BackstageError(f"a process of {users.name_of(uid)} {_ending(status)}")
    return _result(uid, json.loads(report))


def _run_child(uid: int, task: Callable[[], object], writing: int) -> None:
    """What the child does; it never returns."""
    status = 1
    try:
        with os.fdopen(writing, "wb") as pipe:
            pipe.write(_report(uid, task))
        status = 0
    finally:
        os._exit(status)


def _report(uid: int, task: Callable[[], object]) -> bytes:
    try:
        report = _encoded(value=_done(uid, task))
    except BackstageError as error:
        report = _encoded(kind=type(error).__name__, args=error.args, facts=error.__dict__)
    except BaseException as error:  # noqa: BLE001 - raised again where the task was asked for
        what = traceback.format_exception_only(error)[-1].strip()
        report = _encoded(what=what, traceback="".join(traceback.format_exception(error)))
    return report


def _done(uid: int, task: Callable[[], object]) -> object:
    try:
        users.become(uid)
        return task()
    except ImportError as error:
        # Where this library lies in root's home, not all of it may be loaded yet.
        name = users.name_of(uid)
        why = f"{error}; install django_backstage where {name} can read it"
        raise BackstageError(why) from error
    except OSError as error:
        raise BackstageError(str(error)) from error


def _encoded(**report: object) -> bytes:
    return json.dumps(report, default=str).encode()


def _result(uid: int, report: dict[str, object]) -> object:
    if "value" in report:
        return report["value"]
    if "traceback" in report:
        what = f"as {users.name_of(uid)}: {report['what']}"
        raise TaskFailed(what) from _RemoteTraceback(report["traceback"])
    kind = getattr(errors, str(report["kind"]), BackstageError)
    # Not by its constructor, which takes other words than the message.
    error = kind.__new__(kind)
    error.args = tuple(report["args"])  # type: ignore[arg-type]
    error.__dict__.update(report["facts"])
    raise error


def _ending(status: int) -> str:
    if os.WIFSIGNALED(status):
        return f"was ended by {signal.Signals(os.WTERMSIG(status)).name} before it was done"
    return f"ended before it was done, with exit code {os.waitstatus_to_exitcode(status)}"
