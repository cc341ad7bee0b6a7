"""Doing things as the user whom they concern, where root asks for them."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Callable

from .. import errors
from ..errors import BackstageError
from . import users


def run_as(uid: int | None, errand: Callable[[], object]) -> object:
    """Do an errand as this user, in a process of its own; right here where `uid` is None.

    So root writes no file in another user's directory and follows none of his links. Returns what
    the errand returns, as JSON has it, and raises what it raises.
    """
    if uid is None:
        return errand()
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        # Python warns of other threads; the child needs none of what they hold.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        os.close(reading)
        _attend(uid, errand, writing)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        said = pipe.read()
    os.waitpid(child, 0)
    if not said:
        raise BackstageError(f"a process of {users.name_of(uid)} ended without a word")
    return _result_of(json.loads(said))


def _attend(uid: int, errand: Callable[[], object], writing: int) -> None:
    """What the child does; it never returns."""
    try:
        told = json.dumps(_done(uid, errand), default=str).encode()
        with os.fdopen(writing, "wb") as pipe:
            pipe.write(told)
    finally:
        os._exit(0)


def _done(uid: int, errand: Callable[[], object]) -> dict[str, object]:
    try:
        users.become(uid)
        return {"value": errand()}
    except BackstageError as error:
        return {"kind": type(error).__name__, "args": error.args, "facts": error.__dict__}
    except ImportError as error:
        # Where this library lies in root's home, not all of it may be loaded yet.
        name = users.name_of(uid)
        why = f"{error}; install django_backstage where {name} can read it"
        return {"kind": "BackstageError", "args": [why], "facts": {}}
    except OSError as error:
        return {"kind": "BackstageError", "args": [str(error)], "facts": {}}


def _result_of(said: dict[str, object]) -> object:
    if "value" in said:
        return said["value"]
    kind = getattr(errors, str(said["kind"]), BackstageError)
    # Not by its constructor, which takes other words than the message.
    error = kind.__new__(kind)
    error.args = tuple(said["args"])  # type: ignore[arg-type]
    error.__dict__.update(said["facts"])
    raise error
