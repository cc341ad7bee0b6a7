"""Examining `notify`: whether somebody would be told of an Act in trouble."""

from __future__ import annotations

import stat
import sys
from collections.abc import Iterator
from datetime import datetime

from ..facts.command_line import join
from ..facts.watching import Watching
from ..layout.settings import read_settings
from ..status import notice_memory
from ..status.survey import Survey
from ..uwsgi import resident
from .finding import Finding, Remedy, note, ok, warning

_NOTIFY = "notify"
_NOBODY = frozenset({Watching.OFF, Watching.UNSUPPORTED})


def examine(survey: Survey) -> Iterator[Finding]:
    """Whether messages could be sent, and which could not."""
    paths = survey.paths
    settings = read_settings(paths.settings)
    if not settings.notify:
        return
    by_url = any(target.url for target in settings.notify)
    seen = resident.look(paths, wanted=settings.watcher, emperor=survey.emperor.pid)
    if seen.state in _NOBODY:
        yield warning(_NOTIFY, "nobody is told: there is no watcher", Remedy("see `watcher`"))
    if by_url and not paths.apprise:
        yield warning(_NOTIFY, "this Venue has no copy of Apprise", Remedy(command=_install()))
    if by_url and paths.settings.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        remedy = Remedy(
            "if a URL in it has a password,", join(["chmod", "600", str(paths.settings)])
        )
        yield note(_NOTIFY, "others can read venue.yaml", remedy)
    known = {target.key: target.shown for target in settings.notify}
    failures = [each for each in notice_memory.read(paths).failures if each.key in known]
    for failure in failures:
        moment = datetime.fromtimestamp(failure.at).strftime("%Y-%m-%d %H:%M:%S")
        what = f"{known[failure.key]} was not told at {moment}: {failure.error}"
        yield warning(_NOTIFY, what, Remedy("to try again,", "backstage notify test"))
    if not failures:
        targets = len(settings.notify)
        yield ok(_NOTIFY, f"tells {targets} target{'s' * (targets > 1)} of Acts in trouble")


def _install() -> str:
    # Into the environment of this library, whichever is active.
    pip = join([sys.executable, "-m", "pip", "install", "apprise>=1.9"])
    return f"{pip} && backstage venue start"
