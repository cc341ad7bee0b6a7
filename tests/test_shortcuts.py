"""The functions at the front: cheap to import, and clear about what is not there."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from backstage import shortcuts
from backstage.errors import NotAVenue
from backstage.shortcuts import use_venue, venue_from_cwd
from backstage.venue import Venue

HEAVY = {
    "django",
    "virtualenv",
    "psutil",
    "yaml",
    "filelock",
    "uv",
    "python_discovery",
    "packaging",
}


@pytest.fixture
def venue(tmp_path: Path) -> Path:
    """As much of a Venue as opening one looks at."""
    top = tmp_path / "MyVenue"
    (top / "acts" / "blog").mkdir(parents=True)
    for name in ("venue.yaml", "pyvenv.cfg", "emperor.ini"):
        (top / name).touch()
    return top


def test_importing_costs_next_to_nothing() -> None:
    """Whatever takes long to import is imported by the function that needs it."""
    script = "import json, sys; import backstage.shortcuts; print(json.dumps(list(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    imported = {name.partition(".")[0] for name in json.loads(done.stdout)}
    assert "backstage" in imported
    assert not imported & HEAVY


def test_the_names_that_the_quick_start_uses() -> None:
    names = [
        "deploy_act",
        "new_act",
        "new_venue",
        "relocate_venue",
        "rename_act",
        "retire_venue",
        "rollback_act",
        "unretire_act",
        "unretire_venue",
        "upgrade_venue",
        "use_venue",
        "venue_from_cwd",
    ]
    assert shortcuts.__all__ == names
    assert all(callable(getattr(shortcuts, name)) for name in shortcuts.__all__)


@pytest.mark.parametrize("below", [".", "acts", "acts/blog"])
def test_a_venue_is_found_from_anywhere_inside(
    venue: Path, monkeypatch: pytest.MonkeyPatch, below: str
) -> None:
    monkeypatch.chdir(venue / below)
    assert venue_from_cwd() == Venue.open(venue)
    assert venue_from_cwd().path == venue


def test_outside_of_any_venue_the_error_says_where(
    tmp_path: Path, venue: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A plain virtual environment is no Venue, and a Venue's parent lies in none."""
    (tmp_path / "pyvenv.cfg").touch()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(NotAVenue, match="is not inside a Venue") as caught:
        venue_from_cwd()
    assert caught.value.path == tmp_path


@pytest.mark.parametrize(
    ("missing", "extra", "why"),
    [
        ("venue.yaml", None, "has lost its venue.yaml"),
        (None, ".building", "half-built Venue; to finish it, call: new_venue('MyVenue', "),
    ],
)
def test_what_is_no_complete_venue_is_not_opened(
    venue: Path, missing: str | None, extra: str | None, why: str
) -> None:
    if missing:
        (venue / missing).unlink()
    if extra:
        (venue / extra).touch()
    with pytest.raises(NotAVenue) as caught:
        use_venue(venue)
    assert why in str(caught.value)


def test_what_is_not_there_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(NotAVenue, match="does not exist; to make a Venue there, call: new_venue"):
        use_venue(tmp_path / "none")


def test_arguments_of_another_type_are_told_of(venue: Path) -> None:
    """Above all the path of a Venue, where the Venue itself is needed."""
    with pytest.raises(TypeError, match=r"a Venue comes first, .*, not 'MyVenue'"):
        shortcuts.new_act("MyVenue", "blog")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="a name is a str, not None"):
        shortcuts.new_venue(None)  # type: ignore[arg-type]
    opened = use_venue(venue)
    with pytest.raises(TypeError, match="a port is an int, not 'abc'"):
        shortcuts.new_act(opened, "shop", port="abc")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="between 1 and 65535, not 70000"):
        shortcuts.new_act(opened, "shop", port=70000)
