"""What nginx may serve of a Django project by itself: its static files, and what was uploaded."""

from __future__ import annotations

import json
import os
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ..errors import SiteRefused
from ..layout.paths import ActPaths
from ..projects import inspection
from ..projects.inspection import Project
from ..system import programs, users
from ..uwsgi import log_reasons
from .site import Share

_PATIENCE = 30.0
# It tells its findings on a line that begins with a word which nobody else knows.
_ASK = """
import json, os, sys
word, names = sys.argv[1], sys.argv[2:]
import django
from django.conf import settings
from django.http.request import validate_host
django.setup(set_prefix=False)
module = sys.modules.get(os.environ["DJANGO_SETTINGS_MODULE"])
databases = [
    str(each.get("NAME", "")) for each in settings.DATABASES.values()
    if str(each.get("ENGINE", "")).endswith("sqlite3")
]
print("\\n" + word + json.dumps({
    "static": [str(settings.STATIC_URL or ""), str(settings.STATIC_ROOT or "")],
    "media": [str(settings.MEDIA_URL or ""), str(settings.MEDIA_ROOT or "")],
    "private": [getattr(module, "__file__", "") or "", *databases],
    "strangers": [name for name in names if not validate_host(name, settings.ALLOWED_HOSTS)],
}))
"""
_URL = re.compile(r"/([A-Za-z0-9._~-]+/)+")


@dataclass(frozen=True)
class ProjectSettings:
    """What a project's settings say.

    `shares` is what nginx may serve. `strangers` are the hosts that ALLOWED_HOSTS does not know.
    """

    shares: tuple[Share, ...] = ()
    strangers: tuple[str, ...] = ()


def ask(act_paths: ActPaths, names: Iterable[str]) -> ProjectSettings:
    """Ask the project of an Act, as the user that it belongs to; nothing where it is no Django.

    Raises SiteRefused where its settings cannot be loaded, or publish more than they should.
    """
    project = inspection.project_of(act_paths)
    if project is None:
        return ProjectSettings()
    told = _asked(project, [*names])
    private = [Path(path) for path in told["private"] if path.startswith("/")]
    private += [act_paths.top, project.directory, act_paths.env_file]
    found = (_share(kind, told[kind], act_paths, private) for kind in ("static", "media"))
    return ProjectSettings(tuple(share for share in found if share), tuple(told["strangers"]))


def _asked(project: Project, names: list[str]) -> dict[str, list[str]]:
    word = secrets.token_hex(16)
    environment = programs.service_environment(project.act.venue.top)
    try:
        done = programs.run(
            [project.python, "-B", "-c", _ASK, word, *names],
            cwd=project.directory,
            env={**environment, **project.environment},
            timeout=_PATIENCE,
            uid=users.stand_in(project.act.venue.top, project.act.top),
        )
    except programs.TookTooLong as error:
        raise _unloaded(project, f"it takes longer than {_PATIENCE:.0f} s") from error
    lines = [line for line in done.stdout.splitlines() if line.startswith(word)]
    if not lines:
        raise _unloaded(
            project, log_reasons.reason_from(done.stdout) or "Python ended without a word"
        )
    told: dict[str, list[str]] = json.loads(lines[-1].removeprefix(word))
    return told


def _unloaded(project: Project, why: str) -> SiteRefused:
    what = f"the settings of {project.name} cannot be loaded: {project.harmless(why)}"
    return SiteRefused(f"{what}; mend that, see: backstage manage {project.name} check")


def _share(
    kind: str, told: list[str], act_paths: ActPaths, private: Iterable[Path]
) -> Share | None:
    """The directory at a URL of this host; None where there is none, or nothing there yet."""
    url, root = told
    if not _URL.fullmatch(url) or not root:
        return None
    path = Path(os.path.realpath(act_paths.top / root))
    for secret in private:
        if Path(os.path.realpath(secret)).is_relative_to(path):
            name = f"{kind.upper()}_ROOT"
            why = f"{secret} lies in it; give it a directory of its own in the settings"
            raise SiteRefused(
                f"{name} of {act_paths.name} is {path}, which nobody may be shown: {why}"
            )
    if not path.is_dir():
        return Share(kind, url, str(path)) if path.is_relative_to(act_paths.top) else None
    _refuse_foreign(kind, path, act_paths)
    return Share(kind, url, str(path))


def _refuse_foreign(kind: str, path: Path, act_paths: ActPaths) -> None:
    """Whoever writes settings must not have nginx show what it can read, but he cannot."""
    owner, ours = path.stat().st_uid, _home(act_paths).lstat().st_uid
    if owner != ours:
        what = f"{kind.upper()}_ROOT of {act_paths.name} is {path}, which belongs to"
        names = f"{users.name_of(owner)}, not to {users.name_of(ours)} as the Act does"
        raise SiteRefused(f"{what} {names}; give it a directory of its own")


def _home(act_paths: ActPaths) -> Path:
    """What belongs to whoever the Act belongs to."""
    return act_paths.top if act_paths.top.exists() else act_paths.venue.top
