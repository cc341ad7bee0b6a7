"""Wheels: one that holds a project is its source; any other is installed."""

from __future__ import annotations

import os
import re
import zipfile
from pathlib import Path

from ..errors import SourceRefused
from ..system.files import open_regular

# In the top directory or one below: deeper ones are templates of projects to come.
_PROJECT = re.compile(r"(?:(?![^/]*\.(?:dist-info|data)/)[^/]+/)?manage\.py\Z")
_ENTRY_POINTS = re.compile(r"[^/]+\.dist-info/entry_points\.txt\Z")
_SCRIPT = re.compile(rb"^\s*[\w.-]*manage[\w.-]*\s*=", re.MULTILINE)
# More than any list of scripts needs, in bytes.
_MOST = 1_000_000


def holds_project(path: Path) -> bool:
    """Whether a wheel has a manage.py and no script that does the same once it is installed."""
    try:
        with os.fdopen(open_regular(path), "rb") as file, zipfile.ZipFile(file) as wheel:
            names = wheel.namelist()
            if any(_brings_script(wheel, each) for each in filter(_ENTRY_POINTS.match, names)):
                return False
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, ValueError, EOFError) as error:
        raise SourceRefused(str(path), f"it is damaged, or no wheel: {error}") from error
    return any(map(_PROJECT.match, names))


def _brings_script(wheel: zipfile.ZipFile, name: str) -> bool:
    with wheel.open(name) as file:
        return bool(_SCRIPT.search(file.read(_MOST)))
