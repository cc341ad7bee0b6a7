"""The files of a Django project that nginx may serve itself: static files and uploads."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ..errors import SiteRefused
from ..facts.command_line import quote
from ..layout.paths import ActPaths
from ..projects.ask import Answer, Silence, answer_of
from ..projects.project import Project, project_of
from ..system import users
from .site import Share

_URL = re.compile(r"/([A-Za-z0-9._~-]+/)+")


@dataclass(frozen=True)
class ProjectSettings:
    """The relevant settings of a project.

    `shares` are the directories that nginx may serve, `strangers` the hosts not in ALLOWED_HOSTS.
    `reads_env` tells that the Act's .env sets its hosts, as in a project from our scaffold.
    """

    shares: tuple[Share, ...] = ()
    strangers: tuple[str, ...] = ()
    reads_env: bool = False


def ask(act_paths: ActPaths, names: Iterable[str]) -> ProjectSettings:
    """Ask the project of an Act, as its owner; the answer is empty if it is not a Django project.

    Raises SiteRefused if its settings cannot be loaded, or publish private files.
    """
    project = project_of(act_paths)
    if project is None:
        return ProjectSettings()
    told = _asked(project, names)
    private = [Path(path) for path in told["private"] if path.startswith("/")]
    private += [act_paths.top, project.directory, act_paths.env_file]
    found = (_share(kind, told[kind], act_paths, private) for kind in ("static", "media"))
    # The scaffold's settings name the file by its real directory.
    reads_env = told["env_file"] == str(act_paths.top.resolve() / act_paths.env_file.name)
    shares = tuple(share for share in found if share)
    return ProjectSettings(shares, tuple(told["strangers"]), reads_env)


def _asked(project: Project, names: Iterable[str]) -> Answer:
    told = answer_of(project, "shares", *names)
    if isinstance(told, Silence):
        what = f"the settings of {project.name} cannot be loaded: {project.harmless(told.why)}"
        raise SiteRefused(f"{what}; fix that, see: backstage manage {quote(project.name)} check")
    return told


def _share(
    kind: str, told: list[str], act_paths: ActPaths, private: Iterable[Path]
) -> Share | None:
    """The directory at a URL of this host; None if there is none to serve."""
    url, root = told
    if not _URL.fullmatch(url) or not root:
        return None
    path = Path(os.path.realpath(act_paths.top / root))
    for secret in private:
        if Path(os.path.realpath(secret)).is_relative_to(path):
            name = f"{kind.upper()}_ROOT"
            why = f"{secret} is in it; set a separate directory in the settings"
            raise SiteRefused(
                f"{name} of {act_paths.name} is {path}, which must not be served: {why}"
            )
    if not path.is_dir():
        return Share(kind, url, str(path)) if path.is_relative_to(act_paths.top) else None
    _refuse_foreign(kind, path, act_paths)
    return Share(kind, url, str(path))


def _refuse_foreign(kind: str, path: Path, act_paths: ActPaths) -> None:
    """Refuse other users' directories, which the settings' author may be unable to read."""
    owner, ours = path.stat().st_uid, _home(act_paths).lstat().st_uid
    if owner != ours:
        what = f"{kind.upper()}_ROOT of {act_paths.name} is {path}, which belongs to"
        names = f"{users.name_of(owner)}, not to {users.name_of(ours)}, the owner of the Act"
        raise SiteRefused(f"{what} {names}; set a directory of the Act's own")


def _home(act_paths: ActPaths) -> Path:
    """A directory that belongs to the owner of the Act."""
    return act_paths.top if act_paths.top.exists() else act_paths.venue.top
