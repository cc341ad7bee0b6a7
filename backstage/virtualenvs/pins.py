"""What is to be installed: each package in one version, with the hashes of its files."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from packaging.markers import InvalidMarker, Marker, default_environment
from packaging.utils import canonicalize_name

from ..errors import SettingsError
from . import requirement_files
from .interpreters import Interpreter
from .requirement_files import Line

# Backstage brings the one that it was tested with, compiled for the interpreter.
BROUGHT = frozenset({"uwsgi", "pyuwsgi"})


@dataclass(frozen=True)
class Pin:
    """A package in one version; of one that comes from no index, `reference` is its URL or path."""

    name: str
    version: str
    hashes: tuple[str, ...] = ()
    reference: str = ""
    is_editable: bool = False

    def __str__(self) -> str:
        if self.is_editable:
            return f"-e {self.reference}"
        if self.reference:
            return f"{self.name} @ {self.reference}" if ":" in self.reference else self.reference
        return " ".join([f"{self.name}=={self.version}", *(f"--hash={h}" for h in self.hashes)])


@dataclass(frozen=True)
class Pins:
    """Lines for uv: options, what comes from elsewhere, and parts of the tree itself.

    `pylock` is the file to install from instead, in a format that uv reads.
    """

    options: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    local: tuple[str, ...] = ()
    names: frozenset[str] = frozenset()
    pylock: Path | None = None

    @property
    def are_hashed(self) -> bool:
        return bool(self.packages) and all("--hash=" in each for each in self.packages)


def of_lines(lines: Iterable[Line]) -> Pins:
    """The lines of a requirements file in which everything is pinned."""
    kept = [line for line in lines if line.name not in BROUGHT]
    return Pins(
        tuple(line.text for line in kept if line.is_option),
        tuple(line.text for line in kept if not line.is_option and not line.is_local),
        tuple(line.text for line in kept if line.is_local),
        requirement_files.names(kept),
    )


def of_pins(pins: Iterable[Pin], indexes: Iterable[str], lock: Path, again: str) -> Pins:
    """What a lock has for one Python. Raises SettingsError if it has a package in two versions."""
    texts: dict[str, str] = {}
    for pin in pins:
        name, text = str(canonicalize_name(pin.name)), str(pin)
        if texts.setdefault(name, text) != text:
            why = f"has {name} in two versions for this Python; to write it anew, type: {again}"
            raise SettingsError(lock, None, why)
    options = [f"--extra-index-url {url}" for url in dict.fromkeys(indexes)]
    text = "\n".join([*options, *texts.values()])
    found = of_lines(requirement_files.lines_of(text, lock))
    return Pins(found.options, found.packages, found.local, frozenset(texts) - BROUGHT)


def environment_of(interpreter: Interpreter) -> dict[str, str]:
    """The values of markers for an interpreter of this machine."""
    major, minor, micro = interpreter.version
    full = f"{major}.{minor}.{micro}"
    own = {key: str(value) for key, value in default_environment().items()}
    return {
        **own,
        "python_version": f"{major}.{minor}",
        "python_full_version": full,
        "implementation_version": full,
    }


def holds(marker: str, environment: dict[str, str], extras: Iterable[str], lock: Path) -> bool:
    """Whether a marker is true with one of these extras or without any. Raises SettingsError."""
    try:
        parsed = Marker(marker) if marker else None
    except InvalidMarker as error:
        raise SettingsError(lock, None, f"{marker!r} is no marker: {error}") from error
    tries = ({**environment, "extra": extra} for extra in ("", *extras))
    return parsed is None or any(parsed.evaluate(each) for each in tries)
