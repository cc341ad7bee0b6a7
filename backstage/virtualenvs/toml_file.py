"""Reading the TOML files of a project, with errors that name the file."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from ..errors import SettingsError
from ..system.files import contents

Table = dict[str, Any]


def read(path: Path) -> Table:
    """A file in TOML. Raises SettingsError, or OSError."""
    try:
        return tomllib.loads(contents(path).decode())
    except ValueError as error:
        raise SettingsError(path, None, f"is no TOML: {error}") from error


def part(table: Table, *keys: str) -> Table:
    """A table in a table; an empty one if there is none."""
    for key in keys:
        inner = table.get(key)
        table = inner if isinstance(inner, dict) else {}
    return table


def texts(table: Table, key: str) -> list[str]:
    """A list of strings in a table; an empty one if there is none."""
    found = table.get(key)
    return [each for each in found if isinstance(each, str)] if isinstance(found, list) else []
