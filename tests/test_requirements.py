"""The lists in requirements/, kept in step with setup.cfg."""

from __future__ import annotations

import configparser
import re
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

CHECKOUT = Path(__file__).parents[1]
LISTS = CHECKOUT / "requirements"


def lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line and not line.lstrip().startswith("#")]


def setup() -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read(CHECKOUT / "setup.cfg", encoding="utf-8")
    return parser


def needed() -> list[str]:
    """What the program needs, as setup.cfg has it."""
    return lines(setup()["options"]["install_requires"])


def wanted() -> list[str]:
    """What the work on it takes: all that setup.cfg names, but for the one that is compiled."""
    extras = setup()["options.extras_require"].values()
    every = [*needed(), *(line for extra in extras for line in lines(extra))]
    return [line for line in every if Requirement(line).name != "uWSGI"]


def locked() -> dict[str, list[Requirement]]:
    """What is pinned, by name; a name may have a version for each of several Pythons."""
    pins: dict[str, list[Requirement]] = {}
    for line in lines((LISTS / "development.txt").read_text()):
        pin = Requirement(line)
        pins.setdefault(canonicalize_name(pin.name), []).append(pin)
    return pins


def test_the_prebuilt_list_is_that_of_setup_cfg_but_for_uwsgi() -> None:
    """The README and .ci/setup install it where uWSGI cannot be compiled."""
    prebuilt = lines((LISTS / "prebuilt.txt").read_text())
    assert prebuilt == [line.replace("uWSGI", "pyuwsgi") for line in needed()]
    assert "pyuwsgi" in {Requirement(line).name for line in prebuilt}


@pytest.mark.parametrize("line", wanted())
def test_all_that_setup_cfg_names_is_locked_in_a_version_that_fits(line: str) -> None:
    """Where it is not, type: make lock."""
    requirement = Requirement(line)
    pins = locked().get(canonicalize_name(requirement.name), [])
    versions = [each.version for pin in pins for each in pin.specifier if each.operator == "=="]
    assert len(versions) == len(pins) > 0
    assert all(map(requirement.specifier.contains, versions))


@pytest.mark.parametrize("page", ["README.md", "docs/how-to/install.md"])
def test_whoever_compiles_is_told_the_packages_that_our_setup_installs(page: str) -> None:
    told = re.findall(r"\b(?:gcc|python3-dev|lib[\w-]+-dev)\b", (CHECKOUT / page).read_text())
    assert sorted({*told}) == sorted(compiling())


def compiling() -> set[str]:
    """The Debian packages with which .ci/setup compiles uWSGI."""
    setup = (CHECKOUT / ".ci/setup").read_text()
    calls = re.findall(r'/packages" "(?:compiling|all features of) uWSGI" (.*)', setup)
    assert len(calls) == 2
    # apt installs the last one with gcc, unless it is told to leave out what is only recommended.
    return {name for call in calls for name in call.split()} - {"libc6-dev"}


def test_the_lock_leaves_out_what_is_compiled() -> None:
    """.ci/setup compiles uWSGI where it can, and else takes the prebuilt one."""
    assert not locked().keys() & {"uwsgi", "pyuwsgi"}


@pytest.mark.parametrize("path", sorted(LISTS.iterdir()), ids=lambda path: path.name)
def test_no_list_names_an_index(path: Path) -> None:
    """Each machine has its own."""
    text = path.read_text()
    assert "://" not in text
    assert not [line for line in text.splitlines() if line.startswith("-")]
