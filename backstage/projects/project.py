"""The Django project that an Act runs: its directory, Python and environment."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ..layout.paths import ActPaths
from ..system import programs
from ..system.files import open_regular
from ..uwsgi import includes, vassal_files
from ..uwsgi.includes import Script
from .dotenv import DotEnv
from .masking import secrets_in, veiled

_SETTINGS = re.compile(r"""DJANGO_SETTINGS_MODULE["']\]?\s*[,=]\s*["']([\w.]+)["']""")
_HOMES = ("virtualenv", "home", "venv", "pyhome")
# More than a .env or a manage.py has, in bytes.
_LONGEST = 1_000_000
_PYTHON_PATHS = ("pythonpath", "python-path", "pp")


@dataclass(frozen=True)
class Project:
    """A Django project, with the Python and the environment in which its Act runs it."""

    act: ActPaths
    directory: Path
    python: Path
    environment: Mapping[str, str]

    @property
    def name(self) -> str:
        return self.act.name

    @property
    def manage(self) -> Path:
        return self.directory / "manage.py"

    @property
    def whole_environment(self) -> dict[str, str]:
        """All variables that a program of the project is given."""
        return {**programs.service_environment(self.python.parents[1]), **self.environment}

    @property
    def dotenv(self) -> str:
        """The text of its .env; '' if there is none."""
        return _text(self.directory / ".env")

    def harmless(self, text: str) -> str:
        """A text from the project in one line, without its secrets."""
        given = "".join(f"{name}={value}\n" for name, value in self.environment.items())
        secrets = secrets_in(DotEnv(f"{given}{self.dotenv}"), known={self.name})
        homes = (self.act.venue.top, self.directory, self.python.parent.parent)
        return veiled(" ".join(text.split()), secrets, [str(home) for home in homes])


def project_of(act_paths: ActPaths) -> Project | None:
    """The Django project that the Act's vassal file runs, if it is one."""
    project = run_by(act_paths)
    return project if project.manage.exists() else None


def run_by(act_paths: ActPaths) -> Project:
    """What the Act's vassal file runs, as if it were a Django project."""
    file = vassal_files.load(act_paths)
    script = includes.read_all(act_paths.venue, act_paths.vassal, file.text if file else "")
    directory = _named(script, act_paths.venue.vassals, "chdir") or act_paths.top
    home = _named(script, directory, *_HOMES) or act_paths.venue.top
    given = {**variables(act_paths), **_set_by_vassal(script)}
    if paths := [str(directory / value) for _, value in script.values(*_PYTHON_PATHS)]:
        given["PYTHONPATH"] = ":".join(paths)
    named = script.last("module", "wsgi")
    module = script.value(named).partition(":")[0] if named else ""
    entries = [directory / f"{module.replace('.', '/')}.py", directory / "manage.py"]
    given.setdefault(
        "DJANGO_SETTINGS_MODULE", _settings_in(entries) or f"{act_paths.name}.settings"
    )
    return Project(act_paths, directory, home / "bin" / "python", given)


def package_of(act_paths: ActPaths) -> str:
    """The package with the application of a project that lies in the Act's directory.

    That of its name, else the one whose settings its manage.py names, else the only one that has a
    wsgi.py; '' if there is none.
    """
    named = _settings_in([act_paths.manage]).partition(".")[0]
    for name in (act_paths.name, named):
        if name and (act_paths.top / name / "wsgi.py").is_file():
            return name
    found = [path.parent.name for path in act_paths.top.glob("[!.]*/wsgi.py")]
    return found[0] if len(found) == 1 else ""


def variables(act_paths: ActPaths) -> dict[str, str]:
    """The variables of the Act's .env and of the Venue's, as `templates/environment.py` reads.

    A file that cannot be read has none.
    """
    files = (act_paths.venue.env_file, act_paths.env_file)
    found = {name: value for file in files for name, value in DotEnv(_text(file)).values.items()}
    # No environment can hold a zero byte.
    return {name: value for name, value in found.items() if "\0" not in value}


def _set_by_vassal(script: Script) -> dict[str, str]:
    return dict(
        script.value(line).split("=", 1)
        for line in script.all("env")
        if script.knows(line) and "=" in script.value(line)
    )


def _settings_in(entries: Iterable[Path]) -> str:
    """The settings module that the first of these files names; '' if none does."""
    for entry in entries:
        if found := _SETTINGS.search(_text(entry)):
            return found[1]
    return ""


def _text(file: Path) -> str:
    """The beginning of a file that an Act's user may have replaced; '' if it cannot be read."""
    with suppress(OSError), os.fdopen(open_regular(file), "rb") as text:
        return text.read(_LONGEST).decode(errors="replace")
    return ""


def _named(script: Script, base: Path, *keys: str) -> Path | None:
    """The directory that a line names, if known."""
    line = script.last(*keys)
    return base / script.value(line) if line and script.knows(line) else None
