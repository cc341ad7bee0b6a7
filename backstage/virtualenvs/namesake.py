"""The other django_backstage: an older program with the same name on the package index.

It is written for Python 2, and its package is called `backstage` too. Installing it over this
program leaves a mixture of both, in which some of our modules are missing. So this module imports
none of them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from ..facts.command_line import join, quote

if TYPE_CHECKING:
    from importlib.metadata import Distribution

_NAME = "django_backstage"


@dataclass(frozen=True)
class Namesake:
    """The other program, installed in `site_packages`."""

    version: str
    site_packages: Path

    def __str__(self) -> str:
        return f"{_NAME} {self.version} is another, older program of the same name"


def found_in(path: Iterable[str | Path]) -> Namesake | None:
    """The other program, if it is installed in one of these directories."""
    others = (each for each in _installed(path) if not _is_ours(each))
    return next((Namesake(each.version, Path(str(each.locate_file("")))) for each in others), None)


def origin() -> str:
    """The argument for pip to install this program: its origin, else its name and version."""
    import json

    ours = next(filter(_is_ours, _installed(sys.path)), None)
    if ours is None:
        return "the path of its checkout or wheel"
    # https://packaging.python.org/specifications/direct-url/
    url = urlsplit(json.loads(ours.read_text("direct_url.json") or "{}").get("url", ""))
    return unquote(url.path) if url.scheme == "file" else f"{_NAME}=={ours.version}"


def complaint() -> str | None:
    """The message if the other program keeps this one from running; None if it is not installed.

    Two distributions with the same name take two calls to uninstall.
    """
    if (other := found_in(sys.path)) is None:
        return None
    pip = [sys.executable, "-m", "pip"]
    uninstall = join([*pip, "uninstall", "--yes", _NAME])
    return (
        f"{other}, and its files in {other.site_packages / 'backstage'} keep this one from "
        f"running. Type: {uninstall} && {uninstall} && {join(pip)} install {quote(origin())}"
    )


def _installed(path: Iterable[str | Path]) -> Iterator[Distribution]:
    # Slower to import than everything else that the command needs to start.
    from importlib.metadata import distributions

    return iter(distributions(name=_NAME, path=[str(directory) for directory in path]))


def _is_ours(distribution: Distribution) -> bool:
    """Whether it is this program: the other one has no command called `backstage`."""
    return bool(distribution.entry_points.select(group="console_scripts", name="backstage"))
