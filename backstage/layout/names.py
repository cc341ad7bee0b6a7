"""The rules for names of Venues and Acts."""

from __future__ import annotations

import keyword
import re
import sys
from pathlib import Path

from ..errors import NameNotAllowed
from ..facts.advice import make_venue

_ACT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_VENUE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_. +@=,-]*(?<! )\Z")
_LONGEST = 64
_RESERVED = {
    "emperor": "the Emperor's own files in run/ and log/ have that name",
    # The project's package would be that directory, so its source would be published.
    **dict.fromkeys(
        ("static", "staticfiles", "media", "templates", "manage"),
        "a part of every project has that name",
    ),
}


def check_act_name(name: str) -> None:
    """Raise NameNotAllowed for a name that cannot be a Python package, or is reserved."""
    _refuse_other_types(name)
    if not _ACT.match(name):
        raise NameNotAllowed(name, _suggest_identifier(name))
    if len(name) > _LONGEST:
        raise NameNotAllowed(name, f"it has {len(name)} characters, the limit is {_LONGEST}")
    if keyword.iskeyword(name):
        raise NameNotAllowed(name, f"it is a Python keyword; try {name + '_site'!r}")
    if name in _RESERVED:
        raise NameNotAllowed(name, f"{_RESERVED[name]}; try {name + '_site'!r}")


def is_act_name(name: str) -> bool:
    """Whether an Act can have this name."""
    try:
        check_act_name(name)
    except NameNotAllowed:
        return False
    return True


def check_not_importable(name: str, site_packages: Path) -> None:
    """Raise NameNotAllowed for the name of a module that Python or the environment has.

    The Act's own package would shadow that module, or be shadowed by it.
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
    """Raise NameNotAllowed for a name that is not a single, plain directory name."""
    _refuse_other_types(name)
    if "/" in name:
        to_split = make_venue(Path(name), "to make a Venue in that directory")
        raise NameNotAllowed(name, "it is a path", to_split)
    if not _VENUE.match(name):
        raise NameNotAllowed(
            name,
            "a Venue's name has letters, digits, _ . - + @ = , and spaces, and begins "
            "with a letter, a digit or _",
        )
    if len(name) > _LONGEST:
        raise NameNotAllowed(name, f"it has {len(name)} characters, the limit is {_LONGEST}")


def check_venue_path(path: Path) -> None:
    """Raise NameNotAllowed for a path that uWSGI, or a list of paths, would misread."""
    for character in str(path):
        if character in "%$:\\\"'" or not character.isprintable():
            raise NameNotAllowed(
                str(path),
                f"uWSGI misreads {character!r} in a path; choose another directory",
            )


def _refuse_other_types(name: object) -> None:
    if not isinstance(name, str):
        raise TypeError(f"a name is a str, not {name!r}")


def _suggest_identifier(name: str) -> str:
    rule = "an Act's name is a Python package: letters, digits and _, no digit at the beginning"
    words = "_".join(re.findall(r"[A-Za-z0-9_]+", name)).lstrip("0123456789")
    return f"{rule}; try {words!r}" if _ACT.match(words) and not keyword.iskeyword(words) else rule
