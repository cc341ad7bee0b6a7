"""Which names Venues and Acts may have."""

from __future__ import annotations

import keyword
import re
import sys
from pathlib import Path

from ..errors import NameNotAllowed

_ACT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_VENUE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_. +@=,-]*(?<! )\Z")
_LONGEST = 64
_RESERVED = {
    "emperor": "the Emperor's own files in run/ and log/ are called so",
    # The project's package would be that directory, and its source be published.
    **dict.fromkeys(
        ("static", "staticfiles", "media", "templates", "manage"),
        "a part of every project is called so",
    ),
}


def check_act_name(name: str) -> None:
    """Refuse a name that could not be a Python package beside all the others.

    Raises NameNotAllowed.
    """
    if not _ACT.match(name):
        raise NameNotAllowed(name, _suggest_identifier(name))
    if len(name) > _LONGEST:
        raise NameNotAllowed(name, f"it has {len(name)} characters, at most {_LONGEST} are allowed")
    if keyword.iskeyword(name):
        raise NameNotAllowed(name, f"it is a Python keyword; try {name + '_site'!r}")
    if name in _RESERVED:
        raise NameNotAllowed(name, f"{_RESERVED[name]}; try {name + '_site'!r}")


def check_not_importable(name: str, site_packages: Path) -> None:
    """Refuse the name of a module that Python or the environment already has.

    The Act's own package would hide that module, or be hidden by it. Raises NameNotAllowed.
    """
    taken = name in sys.stdlib_module_names or name in {"test", "site"}
    taken = taken or any((site_packages / entry).exists() for entry in (name, f"{name}.py"))
    taken = taken or any(site_packages.glob(f"{name}.*.so"))
    if taken:
        raise NameNotAllowed(
            name,
            f"`import {name}` already means another module there; try {name + '_site'!r}",
        )


def check_venue_name(name: str) -> None:
    """Refuse a name that is not one plain directory name. Raises NameNotAllowed."""
    if not _VENUE.match(name):
        raise NameNotAllowed(
            name,
            "a Venue is one directory: letters, digits, _ . - + @ = , and spaces, "
            "beginning with a letter, a digit or _; give its parent as the path",
        )
    if len(name) > _LONGEST:
        raise NameNotAllowed(name, f"it has {len(name)} characters, at most {_LONGEST} are allowed")


def check_venue_path(path: Path) -> None:
    """Refuse a path that uWSGI would read as something else. Raises NameNotAllowed."""
    for character in str(path):
        if character in "%$\\\"'" or not character.isprintable():
            raise NameNotAllowed(
                str(path),
                f"uWSGI gives {character!r} in a path a meaning of its own; choose another place",
            )


def _suggest_identifier(name: str) -> str:
    rule = "an Act is a Python package: letters, digits and _, not beginning with a digit"
    words = "_".join(re.findall(r"[A-Za-z0-9_]+", name)).lstrip("0123456789")
    return f"{rule}; try {words!r}" if _ACT.match(words) and not keyword.iskeyword(words) else rule
