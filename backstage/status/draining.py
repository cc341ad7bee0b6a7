"""Draining an Act: its health path asks whoever sends visitors to send them elsewhere.

A file in run/ marks the Act as drained, and its project looks for that file.
"""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import replace

from ..errors import ActFailed
from ..facts.command_line import quote
from ..facts.health import HealthCheck
from ..layout.paths import ActPaths
from ..system import files
from ..system.deadlines import Deadline
from ..uwsgi import questions
from ..uwsgi.health_check import check_of

# What the mark and the answer say.
_WORD = "draining"
_UNAVAILABLE = 503
# How long a project may take to notice the mark, in seconds, and how often it is asked.
_PATIENCE, _PAUSE = 2.0, 0.02


def refuse_unfit(act_paths: ActPaths) -> HealthCheck:
    """The health check of an Act that can say that it is drained; else raises ActFailed."""
    check = check_of(act_paths)
    if check.path in {"", "/"}:
        what = "/ is a page for visitors" if check.path else "it has no health path"
        raise _refusal(act_paths, what)
    return replace(check, status=None, text="")


def begin(act_paths: ActPaths, check: HealthCheck, deadline: Deadline) -> None:
    """Mark the Act as drained; returns when its health path says so.

    Raises ActFailed, without a mark, if it does not.
    """
    # All may read it: the Act may run as another user.
    files.write_atomically(act_paths.drain, f"{_WORD}\n")
    patience = Deadline(min(_PATIENCE, deadline.remaining))
    try:
        while not _says_so(act_paths, check, patience):
            if patience.expired:
                raise _refusal(act_paths, f"{check.path} does not say 503 and {_WORD!r}")
            time.sleep(_PAUSE)
    except BaseException:
        act_paths.drain.unlink(missing_ok=True)
        raise


def _says_so(act_paths: ActPaths, check: HealthCheck, patience: Deadline) -> bool:
    question = questions.ask(act_paths, check)
    if question is None:
        return False
    with closing(question):
        answer = question.answer(patience.remaining)
    return bool(answer and answer.status == _UNAVAILABLE and _WORD in answer.words)


def _refusal(act_paths: ActPaths, what: str) -> ActFailed:
    name, settings = act_paths.name, act_paths.venue.settings
    return ActFailed(
        name,
        "cannot be drained",
        f"{what}; set `acts: {{{name}: {{health: /PATH}}}}` in {settings} to a path that answers "
        f"503 and {_WORD!r} while the file named in its variable BACKSTAGE_DRAIN exists, then "
        f"type: backstage restart {quote(name)}",
    )
