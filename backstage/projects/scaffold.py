"""Creating the Django project of an Act, with its database and static files."""

from __future__ import annotations

import secrets
import string
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import ActFailed, EnvironmentFailed
from ..layout.paths import ActPaths
from ..layout.shipped_files import project_files, shelf
from ..system import programs, users
from ..system.files import write_atomically
from ..uwsgi import log_reasons
from ..virtualenvs.versions import series_of
from . import ask

_SECRET_ALPHABET = string.ascii_letters + string.digits + "-_"
_SECRET_LENGTH = 64


def write(act_paths: ActPaths, template: str | Path) -> None:
    """Write a new project under the Act's temporary name.

    `template` names a scaffold of this library, or is anything that `startproject --template`
    accepts: a directory, an archive or a URL. Raises ActFailed, OSError.
    """
    if template in _scaffolds():
        _write_scaffold(act_paths, shelf("scaffolds") / template)
    else:
        _startproject(act_paths, str(template))
    if not (act_paths.unfinished / act_paths.name / "wsgi.py").is_file():
        raise ActFailed(
            act_paths.name,
            f"cannot be created: the template {template} has no project_name/wsgi.py",
        )
    if (act_paths.unfinished / ".env.example").exists():
        _write_environment(act_paths.unfinished / ".env")


@contextmanager
def preparing(act_paths: ActPaths, *, skip: bool) -> Iterator[None]:
    """Apply migrations and collect static files while the body runs.

    Waits for both afterwards. Raises ActFailed.
    """
    if skip:
        yield
        return
    venue = act_paths.venue
    command: list[str | Path] = [venue.python, *ask.words("prepare", act_paths.name)]
    environment = programs.service_environment(venue.top)
    uid = users.stand_in(act_paths.venue.top, act_paths.top)
    with programs.start(command, cwd=act_paths.top, env=environment, uid=uid) as work:
        try:
            yield
            output, _ = work.communicate()
        except BaseException:
            work.kill()
            raise
    if work.returncode:
        raise ActFailed(
            act_paths.name,
            "cannot be prepared (migrate, collectstatic)",
            log_reasons.reason_from(output),
            output.strip(),
        )


def _scaffolds() -> set[str | Path]:
    return {path.name for path in shelf("scaffolds").iterdir() if (path / "manage.py-tpl").exists()}


def _write_scaffold(act_paths: ActPaths, scaffold: Path) -> None:
    version = _django_version(act_paths.venue.site_packages)
    variables = {
        "project_name": act_paths.name,
        "django_version": version,
        "docs_version": str(series_of(version)),
    }
    for file in project_files(scaffold, variables):
        target = act_paths.unfinished / file.path
        target.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        target.write_bytes(file.content)
        target.chmod(file.mode)
    # uWSGI looks for the directory of static files once, at the first request.
    (act_paths.unfinished / "staticfiles").mkdir(mode=0o755)


def _django_version(site_packages: Path) -> str:
    # From the name of its metadata: reading the metadata takes longer than writing the project.
    installed = next(site_packages.glob("[Dd]jango-[0-9]*.dist-info"), None)
    if installed is None:
        raise EnvironmentFailed(f"there is no Django in {site_packages}")
    return installed.name.removesuffix(".dist-info").partition("-")[2]


def _startproject(act_paths: ActPaths, template: str) -> None:
    act_paths.unfinished.mkdir(mode=0o755)
    venue = act_paths.venue
    # A path is relative to the caller's directory.
    given = str(Path(template).resolve()) if Path(template).exists() else template
    command = ["startproject", "--template", given, act_paths.name, str(act_paths.unfinished)]
    done = programs.run(
        [venue.python, "-m", "django", *command], env=programs.service_environment(venue.top)
    )
    if done.returncode:
        raise ActFailed(
            act_paths.name,
            f"cannot be created from the template {template}, which has to be a directory, an "
            "archive or its URL",
            log_reasons.reason_from(done.stdout),
            done.stdout.strip(),
        )


def _write_environment(path: Path) -> None:
    secret = "".join(secrets.choice(_SECRET_ALPHABET) for _ in range(_SECRET_LENGTH))
    write_atomically(
        path,
        "# This Act's own settings and secrets; .env.example lists the possible settings.\n"
        f"SECRET_KEY={secret}\n",
        mode=0o600,
    )
