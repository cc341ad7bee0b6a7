"""Pipfile.lock of Pipenv, which uv does not read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..errors import SettingsError
from ..system.files import contents
from . import pins
from .pins import Pin, Pins
from .toml_file import part

_MAIN_INDEX = "pypi"


def read(file: Path, environment: dict[str, str]) -> Pins:
    """What the lock has for production. Raises SettingsError, or OSError."""
    try:
        lock = json.loads(contents(file))
        wanted = [
            _pin(name, entry)
            for name, entry in lock["default"].items()
            if pins.holds(entry.get("markers", ""), environment, (), file)
        ]
        return pins.of_pins(wanted, _indexes(lock), file, "pipenv lock")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SettingsError(file, None, f"is no lock of Pipenv: {error!r}") from error


def _indexes(lock: dict[str, Any]) -> Iterator[str]:
    """Those beside the main one, for which each machine has its own."""
    for source in part(lock, "_meta").get("sources", []):
        if source["name"] != _MAIN_INDEX:
            yield source["url"]


def _pin(name: str, entry: dict[str, Any]) -> Pin:
    version = entry.get("version", "").removeprefix("==")
    return Pin(name, version, tuple(entry.get("hashes", ())), _reference(entry), _edits(entry))


def _edits(entry: dict[str, Any]) -> bool:
    return bool(entry.get("editable")) and "path" in entry


def _reference(entry: dict[str, Any]) -> str:
    if "git" in entry:
        below = f"#subdirectory={entry['subdirectory']}" if "subdirectory" in entry else ""
        return f"git+{entry['git'].removeprefix('git+')}@{entry['ref']}{below}"
    return str(entry.get("file") or entry.get("path") or "")
