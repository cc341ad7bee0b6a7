"""What users may import: declared, typed, and loaded when it is first used."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import backstage
from backstage import errors, shortcuts

CHECKOUT = Path(__file__).parents[1]
PUBLIC = {
    *("Venue", "Act", "State", "Event", "Snapshot", "BackstageError"),
    *("EnvFile", "EventStream", "Fault", "Finding", "Journal", "LogLine"),
    *("Outcome", "Past", "Severity", "Untaken", "Verb"),
    *("Upgrade", "Renewal", "Fate", "Replacement", "Cause"),
    *("Relocation", "Waiting", "relocate_venue", "retire_venue", "unretire_venue"),
    *("new_venue", "new_act", "use_venue", "venue_from_cwd", "upgrade_venue", "unretire_act"),
    *("rename_act", "deploy_act", "rollback_act", "Deployed", "Release"),
}
# What `import backstage` adds to a Python that has imported nothing else.
LOADED = """
import json, sys
before = set(sys.modules)
import backstage
print(json.dumps(sorted(set(sys.modules) - before)))
"""


def test_the_public_names_are_declared() -> None:
    assert set(backstage.__all__) == PUBLIC
    assert sorted(backstage.__all__) == backstage.__all__ == dir(backstage)


def test_a_star_import_brings_the_public_names_and_no_others() -> None:
    names: dict[str, object] = {}
    exec("from backstage import *", names)
    assert names.keys() - {"__builtins__"} == PUBLIC


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_each_public_name_is_the_thing_of_that_name(name: str) -> None:
    assert getattr(backstage, name).__name__ == name


def test_the_functions_are_those_of_shortcuts() -> None:
    assert set(shortcuts.__all__) < PUBLIC
    for name in shortcuts.__all__:
        assert getattr(backstage, name) is getattr(shortcuts, name)


def test_every_error_is_public_in_errors() -> None:
    """Whatever this library raises on purpose can be caught by a name that stays."""
    raised = {
        name
        for name, each in vars(errors).items()
        if isinstance(each, type) and each.__module__ == errors.__name__
    }
    assert set(errors.__all__) == raised
    assert all(issubclass(getattr(errors, name), backstage.BackstageError) for name in raised)


def test_a_name_that_is_not_there_is_told_as_of_any_module() -> None:
    with pytest.raises(AttributeError, match="module 'backstage' has no attribute 'new_veneu'"):
        backstage.new_veneu  # type: ignore[attr-defined]  # noqa: B018


def test_importing_the_package_loads_nothing_else() -> None:
    """Not even the module `typing`: each public name loads what it needs when it is used."""
    done = subprocess.run(
        [sys.executable, "-c", LOADED], capture_output=True, text=True, check=True, timeout=60
    )
    assert set(json.loads(done.stdout)) - {"__future__"} == {"backstage"}


@pytest.mark.slow
def test_type_checkers_know_the_public_names() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "tests/public_api_types.py"],
        cwd=CHECKOUT, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert not done.returncode, done.stdout
