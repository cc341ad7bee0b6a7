"""Examining a Venue and its Acts: runs every check in turn; none changes anything."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace

from ..errors import BackstageError, UnsafeDirectory
from ..facts.command_line import join
from ..status.survey import Survey
from ..system import refusals
from . import (
    acts,
    directories,
    django,
    emperor,
    environment,
    files,
    limits,
    lost,
    notify,
    ports,
    settings,
    sharing,
    watcher,
)
from .finding import Finding, Remedy, trouble


def examine(
    survey: Survey, names: Sequence[str], progress: Callable[[str], None] | None = None
) -> Iterator[Finding]:
    """Every finding about a Venue and these Acts, as soon as it is made.

    A check that cannot run is a finding too. `progress` is called with what is examined next: the
    name of a check, or with `django` also that of an Act.
    """
    paths, tell = survey.paths, progress or (lambda what: None)
    if stranger := directories.stranger(paths):
        yield replace(stranger, check="permissions")
        return
    acts_paths = [paths.act(name) for name in names]
    whole = [act for act in acts_paths if not act.preparing.exists()]
    with closing(django.Examination(whole, lambda name: tell(f"django {name}"))) as projects:
        # What takes longest begins first, beside the others.
        failed = [*_carried_out("django", projects.begin)]
        checks: dict[str, Callable[[], Iterable[Finding]]] = {
            "lost": lambda: lost.examine(survey, names),
            "environment": lambda: environment.environment(paths),
            "uwsgi": lambda: environment.uwsgi(paths),
            "permissions": lambda: directories.permissions(paths, acts_paths),
            "emperor": lambda: emperor.examine(survey),
            "files": lambda: files.examine(paths),
            "settings": lambda: settings.examine(survey),
            "watcher": lambda: watcher.examine(survey),
            "notify": lambda: notify.examine(survey),
            "group": lambda: sharing.examine(paths),
            "ports": lambda: ports.examine(paths, survey.look_at(names)),
            "disk": lambda: directories.disk(paths),
            "limits": lambda: limits.examine(survey, acts_paths),
            "leftovers": lambda: directories.leftovers(paths),
            "acts": lambda: acts.examine(survey, names),
            "django": lambda: failed or projects.findings(),
        }
        for name, check in checks.items():
            tell(name)
            yield from _carried_out(name, check)


def _carried_out(name: str, check: Callable[[], Iterable[Finding]]) -> Iterator[Finding]:
    try:
        for finding in check():
            yield replace(finding, check=name)
    except OSError as error:
        what = f"cannot be examined: {refusals.refusal(error)}"
        yield replace(trouble(name, what, _remedy(error)), check=name)
    except UnsafeDirectory as error:
        what = f"cannot be examined: {error.path} {error.why}"
        yield replace(trouble(name, what, Remedy(command=error.remedy)), check=name)
    except Exception as error:  # noqa: BLE001 - a check that cannot run is a finding
        what = f"cannot be examined: {type(error).__name__}: {error}"
        yield replace(trouble(name, what, _remedy(error)), check=name)


def _remedy(error: Exception) -> Remedy:
    """What to do if a check could not run."""
    if isinstance(error, OSError) and error.filename:
        return Remedy(command=join(["ls", "-ld", str(error.filename)]))
    if isinstance(error, BackstageError):
        return Remedy("fix that, then examine it again")
    return Remedy("this is a bug in Backstage; please report it")
