"""The distributions installed in an environment, their requirements and their files."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution, distributions
from itertools import chain
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


@dataclass(frozen=True)
class Library:
    """The distributions installed in one site-packages directory."""

    site_packages: Path

    def get(self, name: str) -> Distribution | None:
        """An installed distribution; None if it is not installed."""
        return next(iter(distributions(name=name, path=[str(self.site_packages)])), None)

    def files_of(self, names: Iterable[str]) -> list[str] | None:
        """Every file of these distributions and their requirements, relative to site-packages.

        The list comes from their RECORDs, so pip accepts a copy of these files as an installation:
        https://packaging.python.org/specifications/recording-installed-packages/. None if one of
        the distributions is missing or has no list of files.
        """
        closure = self._closure(names)
        records = [_files(self.site_packages, distribution) for distribution in closure or []]
        return list(chain.from_iterable(records)) if records and all(records) else None

    def _closure(self, names: Iterable[str]) -> list[Distribution] | None:
        wanted: dict[str, Distribution] = {}
        waiting = [str(canonicalize_name(name)) for name in names]
        while waiting:
            name = waiting.pop()
            if name in wanted:
                continue
            distribution = self.get(name)
            if distribution is None:
                return None
            wanted[name] = distribution
            waiting += list(_needs(distribution))
        return list(wanted.values())


def _needs(distribution: Distribution) -> Iterator[str]:
    for line in distribution.requires or []:
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            yield canonicalize_name(requirement.name)


def _files(site_packages: Path, distribution: Distribution) -> list[str]:
    if record := distribution.read_text("RECORD"):
        return [row[0] for row in csv.reader(record.splitlines()) if row]
    # Written by pip before 23.1 when it installs from source without the wheel package.
    installed = distribution.read_text("installed-files.txt") or ""
    info = next(site_packages.glob(f"{distribution.name}-*.egg-info"), site_packages)
    return [os.path.normpath(f"{info.name}/{line}") for line in installed.splitlines()]
