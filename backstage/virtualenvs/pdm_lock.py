"""pdm.lock of PDM, which uv does not read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from ..errors import SettingsError
from . import pins, toml_file
from .pins import Pin, Pins
from .toml_file import Table, part

_MAIN_INDEX = "pypi"
_AGAIN = "pdm lock --strategy inherit_metadata"


def read(file: Path, environment: dict[str, str], wanted: Iterable[str]) -> Pins:
    """What the lock has for production, with these groups. Raises SettingsError, or OSError."""
    lock, groups = toml_file.read(file), {"default", *wanted}
    if "inherit_metadata" not in part(lock, "metadata").get("strategy", []):
        why = f"does not tell what each package is for; to write it anew, type: {_AGAIN}"
        raise SettingsError(file, None, why)
    try:
        chosen = [
            _pin(entry)
            for entry in lock.get("package", [])
            if groups & set(entry["groups"])
            and pins.holds(entry.get("marker", ""), environment, (), file)
        ]
        return pins.of_pins(chosen, _indexes(file.with_name("pyproject.toml")), file, _AGAIN)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SettingsError(file, None, f"is no lock of PDM: {error!r}") from error


def _indexes(project: Path) -> Iterator[str]:
    """Those beside the main one, for which each machine has its own."""
    table = toml_file.read(project) if project.is_file() else {}
    for source in part(table, "tool", "pdm").get("source", []):
        if source.get("name") != _MAIN_INDEX and source.get("type", "index") == "index":
            yield source["url"]


def _pin(entry: Table) -> Pin:
    hashes = tuple(file["hash"] for file in entry.get("files", []))
    reference, edits = _reference(entry), bool(entry.get("editable"))
    return Pin(entry["name"], entry["version"], hashes, reference, edits)


def _reference(entry: Table) -> str:
    if "git" in entry:
        below = f"#subdirectory={entry['subdirectory']}" if "subdirectory" in entry else ""
        return f"git+{entry['git']}@{entry['revision']}{below}"
    return str(entry.get("url") or entry.get("path") or "")
