"""poetry.lock of Poetry, which uv does not read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

from ..errors import SettingsError
from . import pins, toml_file
from .constraints import allows
from .pins import Pin, Pins
from .toml_file import Table, part

_AGAIN = "poetry lock"


def read(
    file: Path, environment: dict[str, str], groups: Iterable[str], extras: Iterable[str]
) -> Pins:
    """What the lock has for production, with these groups and extras.

    Since Poetry 2, it tells for each package what it is for; before, that follows from what needs
    it. Raises SettingsError, or OSError.
    """
    lock = toml_file.read(file)
    packages = lock.get("package", [])
    try:
        if all("groups" in entry for entry in packages):
            wanted, named = {"main", *groups}, tuple(extras)
            chosen = [e for e in packages if _is_for(e, wanted, environment, named, file)]
        else:
            project = toml_file.read(file.with_name("pyproject.toml"))
            chosen = _Graph(file, packages, environment).needed(_roots(project, groups, extras))
        found = [_pin(entry, lock) for entry in chosen]
        return pins.of_pins(found, _indexes(chosen), file, _AGAIN)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SettingsError(file, None, f"is no lock of Poetry: {error!r}") from error


def _is_for(
    entry: Table,
    wanted: set[str],
    environment: dict[str, str],
    extras: tuple[str, ...],
    file: Path,
) -> bool:
    markers = entry.get("markers", "")
    return any(
        pins.holds(
            markers.get(group, "") if isinstance(markers, dict) else markers,
            environment,
            extras,
            file,
        )
        for group in wanted.intersection(entry["groups"])
    )


def _roots(project: Table, groups: Iterable[str], extras: Iterable[str]) -> Iterator[Table]:
    """What the project itself needs, by name, as Poetry writes it."""
    poetry = part(project, "tool", "poetry")
    needs = part(poetry, "dependencies")
    kept = {name for extra in extras for name in part(poetry, "extras").get(extra, [])}
    yield {name: need for name, need in needs.items() if name in kept or not _is_optional(need)}
    for group in groups:
        yield part(poetry, "group", group, "dependencies")


def _is_optional(need: object) -> bool:
    return isinstance(need, dict) and bool(need.get("optional"))


@dataclass(frozen=True)
class _Graph:
    """The packages of a lock that does not tell what they are for."""

    file: Path
    packages: list[Table]
    environment: dict[str, str]

    def needed(self, roots: Iterable[Table]) -> list[Table]:
        """The packages that are reached from the roots."""
        chosen: dict[str, Table] = {}
        extras: dict[str, set[str]] = {}
        waiting = [each for table in roots for each in table.items()]
        while waiting:
            name, need = waiting.pop()
            for edge in need if isinstance(need, list) else [need]:
                entry = self._entry(name, edge)
                if entry is None:
                    continue
                key = str(canonicalize_name(name))
                asked = set(edge.get("extras", ())) if isinstance(edge, dict) else set()
                if key not in chosen or not asked <= extras[key]:
                    extras[key] = extras.get(key, set()) | asked
                    waiting += _needs(entry, extras[key])
                chosen[key] = entry
        return list(chosen.values())

    def _entry(self, name: str, edge: Any) -> Table | None:
        """The package that an edge leads to; None if it is none for this Python."""
        told = edge if isinstance(edge, dict) else {"version": edge}
        if name.lower() == "python" or not self._is_for_us(told):
            return None
        version, key = told.get("version", "*"), canonicalize_name(name)
        fitting = [
            entry
            for entry in self.packages
            if canonicalize_name(entry["name"]) == key
            and allows(version, entry["version"])
            and allows(entry.get("python-versions", "*"), self.environment["python_full_version"])
        ]
        if len(fitting) > 1:
            why = f"has {name} in two versions for this Python; with Poetry 2, type: {_AGAIN}"
            raise SettingsError(self.file, None, why)
        return fitting[0] if fitting else None

    def _is_for_us(self, edge: Table) -> bool:
        python = edge.get("python", "*")
        return allows(python, self.environment["python_full_version"]) and pins.holds(
            edge.get("markers", ""), self.environment, (), self.file
        )


def _needs(entry: Table, extras: set[str]) -> list[tuple[str, Any]]:
    """What a package needs, with that of its extras."""
    of_extras = {
        str(canonicalize_name(text.split()[0].partition("[")[0]))
        for extra in extras
        for text in part(entry, "extras").get(extra, [])
    }
    return [
        # A marker on the extra is true: it was asked for.
        (name, _without_marker(need) if name in of_extras else need)
        for name, need in part(entry, "dependencies").items()
        if not _is_optional(need) or str(canonicalize_name(name)) in of_extras
    ]


def _without_marker(need: Any) -> Any:
    if isinstance(need, dict) and "extra ==" in need.get("markers", ""):
        return {key: value for key, value in need.items() if key != "markers"}
    return need


def _indexes(entries: Iterable[Table]) -> Iterator[str]:
    """The indexes beside the main one that packages come from."""
    for entry in entries:
        source = entry.get("source", {})
        if source.get("type") == "legacy":
            yield source["url"]


def _pin(entry: Table, lock: Table) -> Pin:
    # Before Poetry 1.5, the hashes of all packages stood together.
    files = entry.get("files") or part(lock, "metadata", "files").get(entry["name"], [])
    source = entry.get("source", {})
    return Pin(
        entry["name"],
        entry["version"],
        tuple(file["hash"] for file in files),
        _reference(source),
        bool(entry.get("develop")) and source.get("type") == "directory",
    )


def _reference(source: Table) -> str:
    kind, url = source.get("type", "legacy"), source.get("url", "")
    if kind == "legacy":
        return ""
    if kind == "git":
        below = f"#subdirectory={source['subdirectory']}" if "subdirectory" in source else ""
        return f"git+{url}@{source['resolved_reference']}{below}"
    # A path is told as such, for it would be taken for a name.
    return url if kind == "url" else f"./{url}"
