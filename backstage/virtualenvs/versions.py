"""Versions of distributions and their release series."""

from __future__ import annotations

from packaging.version import Version


def series_of(version: str) -> Version:
    """The series that a version belongs to: 6.0 for 6.0.2 and for 6.0rc1."""
    major, minor = Version(version).major, Version(version).minor
    return Version(f"{major}.{minor}")


def is_older(version: str, other: str) -> bool:
    """Whether a version precedes another one, as 6.0rc1 precedes 6.0."""
    return Version(version) < Version(other)
