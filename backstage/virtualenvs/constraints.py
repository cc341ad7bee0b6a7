"""Version constraints as Poetry writes them: https://python-poetry.org/docs/dependency-specification/."""

from __future__ import annotations

import re

from packaging.specifiers import SpecifierSet
from packaging.version import Version

_PART = re.compile(r"(?P<sign>\^|~(?!=)|[<>=!~]*)\s*(?P<version>[^\s,^<>=!~]+)")


def alternatives(constraint: str) -> list[SpecifierSet]:
    """The ranges that a constraint allows. Raises packaging's InvalidSpecifier."""
    return [_range(each) for each in re.split(r"\|\|?", constraint)]


def allows(constraint: str, version: str) -> bool:
    """Whether a version keeps a constraint. Raises packaging's InvalidSpecifier."""
    return any(each.contains(version, prereleases=True) for each in alternatives(constraint))


def _range(text: str) -> SpecifierSet:
    return SpecifierSet(",".join(_specifier(**m.groupdict()) for m in _PART.finditer(text)))


def _specifier(sign: str, version: str) -> str:
    if version == "*":
        return ""
    if sign == "^":
        return f">={version},<{_above(version, _first_that_counts(version))}"
    if sign == "~":
        return f">={version},<{_above(version, min(2, len(Version(version).release)))}"
    return f"{sign or '=='}{version}"


def _first_that_counts(version: str) -> int:
    """How many numbers of a version a caret keeps: up to the first that is not 0."""
    release = Version(version).release
    return next((n for n, number in enumerate(release, 1) if number), len(release))


def _above(version: str, kept: int) -> str:
    """The first version after all that begin with so many numbers of this one."""
    numbers = Version(version).release[:kept]
    return ".".join(map(str, (*numbers[:-1], numbers[-1] + 1)))
