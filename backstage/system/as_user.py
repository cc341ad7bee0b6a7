"""Run a task as another user, on behalf of root."""

from __future__ import annotations

import json
import os
import signal
import traceback
import warnings
from collections.abc import Callable
from dataclasses import astuple

from .. import errors
from ..errors import BackstageError
from ..facts.advice import Advice
from . import users


class TaskFailed(RuntimeError):
    """Raised for a programming error in another user's process; its cause has the traceback."""


class _RemoteTraceback(Exception):
    """The traceback of another process, as text: data from another user is never unpickled."""

    def __str__(self) -> str:
        return f'\n"""\n{self.args[0]}"""'


def run_as(uid: int | None, task: Callable[[], object]) -> object:
    """Run a task as this user in a separate process; if `uid` is None, in this process.

    So root neither writes files in another user's directories nor follows that user's links.
    Returns the task's result after a round trip through JSON. Raises the task's own BackstageError,
    a BackstageError for its OSError, and TaskFailed for any other error.
    """
    if uid is None:
        return task()
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        # Python warns about other threads; the child needs none of their locks.
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
        raise BackstageError(f"a process of user {users.name_of(uid)} {_ending(status)}")
    return _result(uid, json.loads(report))


def _run_child(uid: int, task: Callable[[], object], writing: int) -> None:
    """The child process; never returns."""
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
        advice = astuple(error.advice) if error.advice else ()
        facts = {**error.__dict__, "advice": advice}
        report = _encoded(kind=type(error).__name__, args=error.args, facts=facts)
    except BaseException as error:  # noqa: BLE001 - raised again in the parent
        what = traceback.format_exception_only(error)[-1].strip()
        report = _encoded(what=what, traceback="".join(traceback.format_exception(error)))
    return report


def _done(uid: int, task: Callable[[], object]) -> object:
    try:
        users.become(uid)
        return task()
    except ImportError as error:
        # If this library is in root's home, modules that are not loaded yet are out of reach now.
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
    facts = dict(report["facts"])  # type: ignore[call-overload]
    advice = facts.pop("advice")
    kind = getattr(errors, str(report["kind"]), BackstageError)
    # Bypass the constructor, whose arguments differ from `args`.
    error = kind.__new__(kind)
    error.args = tuple(report["args"])  # type: ignore[arg-type]
    error.__dict__.update(facts)
    error.advice = Advice(*advice) if advice else None
    raise error


def _ending(status: int) -> str:
    if os.WIFSIGNALED(status):
        return f"was killed by {signal.Signals(os.WTERMSIG(status)).name} before it finished"
    return f"exited with code {os.waitstatus_to_exitcode(status)} before it finished"
