"""The other django_backstage: an older program that the package index has under this name.

It is written for Python 2, and its package is called `backstage` as well. Installed over this
program it leaves a mixture of both, in which some of our modules are gone. So this one imports none
of them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from shlex import join, quote
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from importlib.metadata import Distribution

_NAME = "django_backstage"


@dataclass(frozen=True)
class Namesake:
    """The other program, as it is installed in `site_packages`."""

    version: str
    site_packages: Path

    def __str__(self) -> str:
        return f"{_NAME} {self.version} is another, older program of the same name"


def found_in(path: Iterable[str | Path]) -> Namesake | None:
    """The other program, where one of these directories has it."""
    others = (each for each in _installed(path) if not _is_ours(each))
    return next((Namesake(each.version, Path(str(each.locate_file("")))) for each in others), None)


def origin() -> str:
    """What to tell pip to install this program: where it came from, else its name and version."""
    import json

    ours = next(filter(_is_ours, _installed(sys.path)), None)
    if ours is None:
        return "the path of its checkout or wheel"
    # https://packaging.python.org/specifications/direct-url/
    url = urlsplit(json.loads(ours.read_text("direct_url.json") or "{}").get("url", ""))
    return unquote(url.path) if url.scheme == "file" else f"{_NAME}=={ours.version}"


def complaint() -> str | None:
    """What to say where the other program keeps this one from running, None where it is not there.

    Two distributions of one name take two calls to uninstall.
    """
    if (other := found_in(sys.path)) is None:
        return None
    pip = [sys.executable, "-m", "pip"]
    uninstall = join([*pip, "uninstall", "--yes", _NAME])
    return (
        f"{other}, and {other.site_packages / 'backstage'} has files of it, so that this one "
        f"cannot run. Type: {uninstall} && {uninstall} && {join(pip)} install {quote(origin())}"
    )


def _installed(path: Iterable[str | Path]) -> Iterator[Distribution]:
    # Takes longer to import than all that the command needs to start.
    from importlib.metadata import distributions

    return iter(distributions(name=_NAME, path=[str(directory) for directory in path]))


def _is_ours(distribution: Distribution) -> bool:
    """The other one brings no command of the name `backstage`."""
    return bool(distribution.entry_points.select(group="console_scripts", name="backstage"))
